"""What stores in files do with the system: folders, plain files, its errors."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from escrow.vault.errors import BlobCorrupted, BlobStoreUnavailable

READ_BYTES: Final = 1024 * 1024


def whole_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield a blob's bytes in pieces, one more than it had at first where it has grown since.

    Not to its end, wherever that may be: whoever writes to the store must not have one blob read
    for ever. The byte more makes its digest another.
    """
    left = file.seek(0, os.SEEK_END)
    file.seek(0)
    while left and (piece := file.read(min(READ_BYTES, left))):
        left -= len(piece)
        yield piece
    if more := file.read(1):
        yield more


def make_folder(folder: Path) -> None:
    """Make a folder that whoever may write its parent may write too: a group shares a store."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(stat.S_IMODE(folder.parent.stat().st_mode))


def plain_file(path: Path, sha256: str) -> BinaryIO:
    """Open a blob's own file, never what a link leads to, nor a pipe that nobody writes into.

    Raises:
        FileNotFoundError: nothing stands there.
        BlobCorrupted: something else than a file does.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno != errno.ELOOP:
            raise
        raise _no_file(sha256) from problem
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(sha256)
    return os.fdopen(descriptor, "rb", buffering=0)


def _no_file(sha256: str) -> BlobCorrupted:
    return BlobCorrupted(
        f"Under the payload's name {sha256[:16]}… stands something that is no file.",
        "Restore it from a replica, and look who writes to the store.",
    )


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the system's errors into ours; absence stays what it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise BlobStoreUnavailable(
            f"The payload store did not do its part ({problem.strerror}).",
            "Try again; if it stays, the operator has to look at the disk.",
        ) from problem
