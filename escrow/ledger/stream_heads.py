"""How far each agreement's stream reached when the keyholder last saw it, on its own disk.

A database writer who cuts the newest entries off a stream leaves no gap in it; this tells. Heads
are written after the commit that they belong to, so a crash in between leaves older ones, which a
longer stream still passes through. Those of one commit are written together and made durable
once: a session of a panel moves thousands of streams on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from escrow.ground.paths import sync_folder, write_whole
from escrow.ledger.chains import ProvenChain
from escrow.ledger.errors import HeadBehind
from escrow.ledger.events import Stream
from escrow.ledger.rows import StreamHead

_JOURNAL = "journal"

# The journal is written anew when it has more lines than this and more than two for each stream:
# half a megabyte is read at a start, and written anew seldom.
_LINES = 4_096

_DIGEST_CHARS = 64


class StreamHeads:
    """One journal of lines ``kind-id sequence digest``; the last line of a stream counts.

    Args:
        folder: the keyholder's alone; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / _JOURNAL
        self._lock = threading.Lock()
        self._seen: dict[str, str] = {}
        self._lines = 0
        # Whether a line can be added at the end of what was read.
        self._is_whole = False
        # Inode and size of what was read: another process of the same folder may have written.
        self._read: tuple[int, int] | None = None

    def remember(self, heads: Mapping[Stream, StreamHead]) -> None:
        """Note the newest sequenced entries of some streams; durable when this returns.

        Raises:
            HeadBehind: what was noted before cannot be read.
        """
        with self._lock:
            self._refresh()
            fresh = {_name(one): f"{at.sequence} {at.entry_sha256}" for one, at in heads.items()}
            self._seen |= fresh
            self._lines += len(fresh)
            if self._is_whole and self._lines <= max(_LINES, 2 * len(self._seen)):
                self._append(_text(fresh))
            else:
                write_whole(self._path, _text(self._seen), 0o600)
                sync_folder(self._path.parent)
                self._lines = len(self._seen)
            self._read, self._is_whole = self._state(), True

    def check_reaches(self, stream: Stream, chain: ProvenChain) -> None:
        """Return when a chain passes through the entry that was seen last.

        Raises:
            HeadBehind: it ends earlier, or another entry stands there; or nobody can tell.
        """
        with self._lock:
            self._refresh()
            seen = self._seen.get(_name(stream), "").rpartition(" ")[2]
        if seen and chain.place_of(seen) is None:
            raise HeadBehind(
                f"{stream} lacks its entry {seen[:16]}, which this keyholder has seen.",
                "Nothing was opened; compare the database with the last backup.",
            )

    def _refresh(self) -> None:
        """Read the journal where it changed."""
        try:
            if self._read is None and not self._path.exists():
                self._seen = dict(self._older_files())
                return
            found = self._state()
            if found != self._read:
                self._load(found)
        except (OSError, ValueError) as problem:
            raise HeadBehind(
                "What this keyholder remembers of the agreements' streams cannot be read.",
                "Restore the keyholder's own folder from its backup.",
            ) from problem

    def _load(self, found: tuple[int, int]) -> None:
        # A line without its end was being written at a crash: nobody was told that it stands.
        whole, _, torn = self._path.read_text(encoding="ascii").rpartition("\n")
        lines = whole.splitlines()
        self._seen = dict(_parsed(line) for line in lines)
        self._lines, self._read, self._is_whole = len(lines), found, not torn

    def _older_files(self) -> Iterator[tuple[str, str]]:
        """Yield what a keyholder noted in one file for each stream, before there was a journal."""
        for path in self._path.parent.glob("agreement-*"):
            if path.suffix == ".new":
                # Half written when its keyholder was killed; the file beside it counts.
                continue
            yield _parsed(f"{path.name} {path.read_text(encoding='ascii').strip()}")

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def _state(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_size


def _text(seen: Mapping[str, str]) -> str:
    return "".join(f"{name} {head}\n" for name, head in seen.items())


def _parsed(line: str) -> tuple[str, str]:
    name, sequence, digest = line.split(" ")
    if len(digest) != _DIGEST_CHARS:
        raise ValueError("digest")
    return name, f"{int(sequence)} {digest}"


def _name(stream: Stream) -> str:
    return f"{stream.kind}-{stream.id}"
