"""Write below one folder, and nowhere else.

Every component is opened from its parent's descriptor without following links, so that no member
of an archive, and no order of members, can write through a link or out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = tuple[bytes, ...]


class UnsafePlace(Exception):
    """The place goes through a link or a file, or is taken by a folder."""


class Place:
    """One folder that members are written into."""

    def __init__(self, root: bytes) -> None:
        os.makedirs(root, exist_ok=True)
        self._root = root

    @contextlib.contextmanager
    def _parent(self, parts: Parts) -> Iterator[int]:
        handle = os.open(self._root, _FOLDER_FLAGS)
        try:
            for part in parts[:-1]:
                inner = _open_folder(part, handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def write_file(self, parts: Parts, chunks: Iterable[bytes], executable: bool) -> bool:
        """Write a regular file; return whether it took the place of an earlier one.

        Raises:
            UnsafePlace: see there.
        """
        with self._parent(parts) as parent:
            replaced = _make_free(parts[-1], parent)
            mode = 0o755 if executable else 0o644
            handle = os.open(parts[-1], _NEW_FILE_FLAGS, mode, dir_fd=parent)
            with open(handle, "wb", buffering=0) as file:
                for chunk in chunks:
                    file.write(chunk)
        return replaced

    def make_folder(self, parts: Parts) -> bool:
        """Make a folder and those above it; it takes nobody's place.

        Raises:
            UnsafePlace: see there.
        """
        with self._parent((*parts, b".")):
            return False

    def make_link(self, parts: Parts, target: bytes) -> bool:
        """Make a symbolic link; return whether it took the place of something.

        Raises:
            UnsafePlace: see there.
        """
        with self._parent(parts) as parent:
            replaced = _make_free(parts[-1], parent)
            os.symlink(target, parts[-1], dir_fd=parent)
        return replaced

    def make_hard_link(self, parts: Parts, original: Parts) -> bool:
        """Give a regular file of this folder a second name.

        Raises:
            UnsafePlace: see there, or the original is no regular file in this folder.
        """
        with self._parent(original) as source, self._parent(parts) as parent:
            if not _is_regular(original[-1], source):
                raise UnsafePlace("the original is no file of the archive")
            replaced = _make_free(parts[-1], parent)
            os.link(
                original[-1],
                parts[-1],
                src_dir_fd=source,
                dst_dir_fd=parent,
                follow_symlinks=False,
            )
        return replaced


def _open_folder(name: bytes, parent: int) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except OSError as error:
        raise UnsafePlace("goes through a link or a file") from error


def _is_regular(name: bytes, parent: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _make_free(name: bytes, parent: int) -> bool:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    except OSError as error:  # a folder: nothing of it is removed for a member's sake
        raise UnsafePlace("a folder has this name") from error
    return True
