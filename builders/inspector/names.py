"""Judge names: which may be written at all, and which cause trouble on other systems."""

from __future__ import annotations

import re
import unicodedata

from builders.inspector.bounds import DEPTH_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX
from builders.inspector.notes import Notes

_RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)
_DECEIVING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\\\\]")


def safe_parts(name: bytes) -> tuple[bytes, ...] | None:
    """Return the components of a member's name; None when it may not be written.

    Absolute names, ``..``, NUL and what no file system takes are refused, never corrected: a
    corrected name could hit another member. ``.`` and doubled slashes are dropped, as tar does.
    """
    if name.startswith(b"/") or b"\0" in name or len(name) > PATH_BYTES_MAX:
        return None
    parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if b".." in parts or len(parts) > DEPTH_MAX or any(len(p) > NAME_BYTES_MAX for p in parts):
        return None
    return parts


def leaves_folder(link: bytes, target: bytes) -> bool:
    """Return whether a link's target, taken literally, lies outside of the root."""
    if target.startswith(b"/"):
        return True
    depth = link.count(b"/")
    for part in target.split(b"/"):
        depth += {b"..": -1, b".": 0, b"": 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def is_odd(name: bytes) -> bool:
    """Return whether other systems cannot hold, or people cannot read, this one component."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return bool(_DECEIVING.search(text) or _RESERVED.fullmatch(text)) or text[-1:] in (" ", ".")


class NameWatch:
    """Sees every path of one part once, and notes collisions and odd names."""

    def __init__(self, notes: Notes, part: str) -> None:
        self._notes = notes
        self._part = part
        self._seen: dict[str, bytes] = {}

    def see(self, path: bytes) -> None:
        """Take the next path."""
        if is_odd(path.rpartition(b"/")[2]):
            self._notes.add("name-odd", self._part, path)
        text = path.decode("utf-8", "backslashreplace")
        first = self._seen.setdefault(unicodedata.normalize("NFKC", text).casefold(), path)
        if first != path:
            self._notes.add("name-collision", self._part, path)
