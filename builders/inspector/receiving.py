"""Take the members of one archive: write them below a place, or only look at them.

Bounds are counted here, on what really arrives, never on what an archive declares.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from builders.inspector.bounds import MEMBERS_MAX, RATIO_FLOOR_BYTES, RATIO_MAX
from builders.inspector.names import safe_parts
from builders.inspector.notes import Notes
from builders.inspector.places import Parts, Place, UnsafePlace
from builders.inspector.probes import ProbeBudget
from builders.inspector.reading import ContentReader
from builders.inspector.swhid import EXECUTABLE, FILE, FOLDER, Entry, link_entry


class Swollen(Exception):
    """An archive unpacks out of all proportion."""


class TooLarge(Exception):
    """The deposit is larger than the workspace; this is our limit, not its fault."""


@dataclass
class Room:
    """How many bytes may still be written, over all parts."""

    left_bytes: int

    def take(self, size: int) -> None:
        """Count bytes before they are written.

        Raises:
            TooLarge: there is no room for them.
        """
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise TooLarge("the unpacked files are larger than the workspace")


@dataclass
class Receiver:
    """Receives one archive's members. Without a place they are hashed and dropped.

    ``taken_bytes`` tells how much of the archive was read so far.
    """

    part: str
    place: Place | None
    notes: Notes
    budget: ProbeBudget
    room: Room
    taken_bytes: Callable[[], int]
    entries: dict[bytes, Entry] = field(default_factory=dict)
    newest_mtime: int | None = None
    _members: int = 0
    _unpacked_bytes: int = 0

    def saw(self, mtime: float) -> None:
        """Count one more member, of whatever kind.

        Raises:
            Swollen: there are too many.
        """
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise Swollen(f"it holds more than {MEMBERS_MAX} members")
        if 0 < mtime < 2**33:
            self.newest_mtime = max(self.newest_mtime or 0, int(mtime))

    def file(self, name: bytes, size: int, executable: bool, chunks: Iterable[bytes]) -> None:
        """Take a regular file."""
        counted = self._counted(chunks)
        if (parts := self._parts(name)) is None:
            for _ in counted:
                continue
            return
        if self.place is not None:
            place = self.place
            self._write(name, lambda: place.write_file(parts, counted, executable))
            return
        path = b"/".join(parts)
        reader = ContentReader(self.notes, self.budget, self.part, path, size)
        reader.drain(counted)
        self._list(reader.entry(EXECUTABLE if executable else FILE))

    def folder(self, name: bytes) -> None:
        """Take a folder; it is seen by what lies in it."""
        parts = self._parts(name)
        if parts and self.place is not None:
            place = self.place
            self._write(name, lambda: place.make_folder(parts))

    def link(self, name: bytes, target: bytes) -> None:
        """Take a symbolic link. Where it points is judged when the folder is walked."""
        if (parts := self._parts(name)) is None:
            return
        if not target or b"\0" in target:
            self.notes.add("name-unsafe", self.part, name)
        elif self.place is not None:
            place = self.place
            self._write(name, lambda: place.make_link(parts, target))
        else:
            self._list(link_entry(b"/".join(parts), target))

    def hard_link(self, name: bytes, original: bytes) -> None:
        """Take a second name of an earlier file."""
        parts, first = self._parts(name), self._parts(original)
        if parts is None or first is None or parts == first:
            return
        if self.place is not None:
            place = self.place
            self._write(name, lambda: place.make_hard_link(parts, first))
        elif (known := self.entries.get(b"/".join(first))) is not None:
            path = b"/".join(parts)
            self._list(Entry(path, known.mode, known.size_bytes, known.sha256, known.git_id))

    def special(self, name: bytes, what: str) -> None:
        """Refuse a device, pipe or the like."""
        self.notes.add("special-file", self.part, name, what=what)

    def _parts(self, name: bytes) -> Parts | None:
        parts = safe_parts(name)
        if parts is None:
            self.notes.add("name-unsafe", self.part, name)
        return parts or None

    def _write(self, name: bytes, write: Callable[[], bool]) -> None:
        try:
            if write():
                self.notes.add("name-duplicate", self.part, name)
        except UnsafePlace:
            self.notes.add("name-unsafe", self.part, name)

    def _list(self, entry: Entry) -> None:
        if entry.path in self.entries and entry.mode != FOLDER:
            self.notes.add("name-duplicate", self.part, entry.path)
        self.entries[entry.path] = entry

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._unpacked_bytes += len(chunk)
            read = max(self.taken_bytes(), 1)
            if self._unpacked_bytes > max(RATIO_FLOOR_BYTES, RATIO_MAX * read):
                raise Swollen(f"it unpacks to more than {RATIO_MAX} times its size")
            if self.place is not None:
                self.room.take(len(chunk))
            yield chunk


def spooled(chunks: Iterable[bytes], path: bytes, room: Room) -> int:
    """Write a stream to a file of the workspace and return its length.

    Raises:
        TooLarge: there is no room.
    """
    size = 0
    with open(path, "xb", buffering=0, opener=lambda p, f: os.open(p, f, 0o600)) as file:
        for chunk in chunks:
            room.take(len(chunk))
            file.write(chunk)
            size += len(chunk)
    return size


def unspool(path: bytes, size: int, room: Room) -> None:
    """Remove such a file and give its room back."""
    os.unlink(path)
    room.left_bytes += size
