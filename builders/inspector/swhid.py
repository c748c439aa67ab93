"""Identities of contents and folders: SHA-256, and git's object ids as SWHIDs have them.

Source of the forms: git's object format (blob, tree); ISO/IEC 18670 (SWHID), ``cnt`` and ``dir``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

FILE, EXECUTABLE, LINK, FOLDER, SUBMODULE = "100644", "100755", "120000", "40000", "160000"


@dataclass(frozen=True)
class Entry:
    """One thing of a manifest. ``git_id`` is a blob's id, a submodule's commit, a folder's tree."""

    path: bytes
    mode: str
    size_bytes: int
    sha256: str | None = None
    git_id: str | None = None


class ContentDigest:
    """SHA-256 of one content, and its git id when its length is known beforehand."""

    def __init__(self, size_bytes: int | None) -> None:
        self._sha256 = hashlib.sha256()
        self._git = None if size_bytes is None else hashlib.sha1(usedforsecurity=False)
        if self._git is not None:
            self._git.update(b"blob %d\0" % (size_bytes or 0))
        self.size_bytes = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size_bytes += len(chunk)
        self._sha256.update(chunk)
        if self._git is not None:
            self._git.update(chunk)

    def entry(self, path: bytes, mode: str) -> Entry:
        """Return the entry of the whole content."""
        git_id = None if self._git is None else self._git.hexdigest()
        return Entry(path, mode, self.size_bytes, self._sha256.hexdigest(), git_id)


def link_entry(path: bytes, target: bytes) -> Entry:
    """Return the entry of a symbolic link: its target is its content."""
    digest = ContentDigest(len(target))
    digest.update(target)
    return digest.entry(path, LINK)


@dataclass
class _Folder:
    folders: dict[bytes, _Folder] = field(default_factory=dict)
    leaves: dict[bytes, Entry] = field(default_factory=dict)

    def tree_id(self) -> bytes:
        rows = [
            (name, entry.mode, bytes.fromhex(entry.git_id or ""))
            for name, entry in self.leaves.items()
        ]
        rows += [(name, FOLDER, folder.tree_id()) for name, folder in self.folders.items()]
        # git sorts a folder as if its name ended in a slash.
        rows.sort(key=lambda row: row[0] + b"/" if row[1] == FOLDER else row[0])
        body = b"".join(mode.encode() + b" " + name + b"\0" + git_id for name, mode, git_id in rows)
        return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).digest()


def folder_swhid(entries: Iterable[Entry]) -> str | None:
    """Return the ``swh:1:dir:`` of the folder that holds exactly these entries.

    Entries of mode ``40000`` are empty folders. None when a content has no git id.
    """
    root = _Folder()
    for entry in entries:
        if entry.git_id is None and entry.mode != FOLDER:
            return None
        *parents, name = entry.path.split(b"/")
        folder = root
        for parent in parents:
            folder = folder.folders.setdefault(parent, _Folder())
        if entry.mode == FOLDER:
            folder.folders.setdefault(name, _Folder())
        else:
            folder.leaves[name] = entry
    return "swh:1:dir:" + root.tree_id().hex()
