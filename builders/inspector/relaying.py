"""Lay a workspace out again from the opened parts of a package, as the trial build had it.

The parts come as one tar, the kit first; each is handed to the same code that took it then, so
that checked-out commits, unpacked archives, modes and times are the same.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from typing import IO, Any, BinaryIO

from builders.inspector.bounds import CHUNK_BYTES
from builders.inspector.inspecting import Inspector
from builders.inspector.kits import Kit, KitUnreadable

# A kit names up to 5,000 results of each component; a hundred components stay below this.
KIT_BYTES_MAX = 256 * 1024 * 1024


class PackagedParts:
    """The parts of a package where the inspector expects the worker's frames.

    ``altered`` and ``missing`` are complete once the input was read to its end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 (read as a stream)
        self.kit = Kit(self._first())
        self._wanted = {str(part["file"]): part for part in self.kit.parts}
        self._part: Mapping[str, Any] = {}
        self._content: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self.altered: list[str] = []

    @property
    def missing(self) -> list[str]:
        """The names of the parts that did not come."""
        return [str(part["name"]) for part in self._wanted.values()]

    def _first(self) -> bytes:
        member = self._tar.next()
        content = self._tar.extractfile(member) if member is not None else None
        if content is None:
            raise KitUnreadable("the package holds no kit")
        return content.read(KIT_BYTES_MAX)

    def next_json(self) -> dict[str, Any] | None:
        """Return the header of the next part, None at the end."""
        while (member := self._tar.next()) is not None:
            part = self._wanted.get(member.name)
            if part is None or not member.isreg():
                continue
            del self._wanted[member.name]
            self._part, self._digest = part, hashlib.sha256()
            self._content = self._tar.extractfile(member)
            return {**part, "store": True}
        return None

    def next(self) -> bytes:
        """Return the next bytes of a part, none at its end."""
        data = self._content.read(CHUNK_BYTES) if self._content is not None else b""
        self._digest.update(data)
        if not data and self._digest.hexdigest() != self._part["sha256"]:
            self.altered.append(str(self._part["name"]))
        return data


def lay_out(root: bytes, stream: BinaryIO) -> PackagedParts:
    """Unpack a package's parts below a root and return what was wrong with them.

    Raises:
        KitUnreadable: the first file is no kit of a known version.
    """
    parts = PackagedParts(stream)
    inspector = Inspector(root, parts.kit.room_bytes)
    inspector.take_parts(parts)
    # Looking gives every file of the source its time; what else it says was reported long ago.
    inspector.report()
    return parts
