"""Walk an unpacked folder without following a link, and list what lies in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from builders.inspector.bounds import CHUNK_BYTES, DEPTH_MAX
from builders.inspector.names import leaves_folder
from builders.inspector.notes import Notes
from builders.inspector.probes import ProbeBudget
from builders.inspector.reading import ContentReader
from builders.inspector.swhid import EXECUTABLE, FILE, FOLDER, Entry, link_entry


def walk(
    root: bytes, skip: frozenset[bytes] = frozenset()
) -> Iterator[tuple[bytes, os.DirEntry[bytes] | None]]:
    """Yield (path below the root, entry) of all that lies there, in the order of the names.

    A folder without content comes as (path, None). ``skip`` names paths that are left out whole.
    """
    waiting: list[tuple[bytes, int]] = [(b"", 0)]
    while waiting:
        folder, depth = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if not entries and folder:
            yield folder, None
        inner = []
        for entry in entries:
            path = folder + b"/" + entry.name if folder else entry.name
            if path in skip:
                continue
            if entry.is_dir(follow_symlinks=False) and depth < DEPTH_MAX:
                inner.append((path, depth + 1))
            else:
                yield path, entry
        waiting += reversed(inner)


class Lister:
    """Lists one part's folder: entries, and what is noticed on the way."""

    def __init__(self, notes: Notes, budget: ProbeBudget, part: str) -> None:
        self._notes, self._budget, self._part = notes, budget, part

    def entries(self, root: bytes, skip: frozenset[bytes], mtime: int | None) -> Iterator[Entry]:
        """Yield the entries below a root, and give every file the same time of change.

        With equal times make takes nothing deposited for out of date: git keeps no times, and an
        archive's would say when it was unpacked last, not what depends on what.
        """
        for path, entry in walk(root, skip):
            if entry is None:
                yield Entry(path, FOLDER, 0)
                continue
            if mtime is not None:
                os.utime(entry.path, (mtime, mtime), follow_symlinks=False)
            if entry.is_symlink():
                target = os.readlink(entry.path)
                if leaves_folder(path, target):
                    shown = target.decode("utf-8", "backslashreplace")
                    self._notes.add("link-outside", self._part, path, target=shown)
                yield link_entry(path, target)
            elif entry.is_file(follow_symlinks=False):
                yield self._file(path, entry)

    def _file(self, path: bytes, entry: os.DirEntry[bytes]) -> Entry:
        status = entry.stat(follow_symlinks=False)
        reader = ContentReader(self._notes, self._budget, self._part, path, status.st_size)
        handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb", buffering=0) as file:
            reader.drain(iter(lambda: file.read(CHUNK_BYTES), b""))
        return reader.entry(EXECUTABLE if stat.S_IMODE(status.st_mode) & 0o100 else FILE)
