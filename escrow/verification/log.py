"""The live log of a trial build: plaintext in scratch, for the vendor's eyes, until it is sealed.

Guarantees: the file only grows, so a byte offset names the same place for every reader and after
every reconnection; it never exceeds :data:`LOG_BYTES_MAX`, and says so in its last line when more
was said. Nothing is redacted, because nobody but the vendor is shown it. A second attempt after
our own error writes on behind the first. The log is deleted when it is sealed: a reader who finds
it gone is told that it ended, and goes to the sealed copy.

Not done here: who may read (the portal), and making terminal control codes harmless (whoever
prints).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.paths import RootedPath
from escrow.verification.errors import LogNotFound, LogOffsetUnknown

# A verbose build of a large C++ project prints some 20 MiB; the rest is noise, and scratch is
# memory.
LOG_BYTES_MAX = 32 * 1024 * 1024

# One event of a followed log: small enough to be relayed at once, large enough to be rare.
SLICE_BYTES = 64 * 1024

_CUT_NOTE = b"\n[escrow] the log is longer than is kept; what follows is left out\n"
_LOG_NAME = "build.log"
# Stands beside the log once nothing more will be written.
_ENDED_NAME = "build.log.ended"


def log_folder(scratch: Path, examination_id: str) -> Path:
    """Return the folder of an examination's live log below the scratch folder."""
    return RootedPath(scratch).join("logs", examination_id)


def log_folders(scratch: Path) -> list[Path]:
    """Return the folders of all live logs below the scratch folder, each named by its id."""
    try:
        return sorted((scratch / "logs").iterdir())
    except FileNotFoundError:
        return []


class LiveLog:
    """The one writer of a live log; usable from several threads (standard output and error)."""

    def __init__(self, folder: Path, limit_bytes: int = LOG_BYTES_MAX) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _ENDED_NAME).unlink(missing_ok=True)
        self._folder = folder
        self._limit = limit_bytes
        self._guard = threading.Lock()
        self._file = (folder / _LOG_NAME).open("ab", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self.cut = self._size >= limit_bytes

    @property
    def path(self) -> Path:
        """Where the plaintext lies until it is sealed."""
        return self._folder / _LOG_NAME

    @property
    def size_bytes(self) -> int:
        """Bytes written so far, those of earlier attempts included."""
        return self._size

    def write(self, data: bytes) -> None:
        """Append what a build said; beyond the limit it is dropped, once with a note."""
        with self._guard:
            if self.cut or self._file.closed:
                return
            room = self._limit - self._size - len(_CUT_NOTE)
            if len(data) > room:
                data = data[: max(room, 0)] + _CUT_NOTE
                self.cut = True
            # An unbuffered file may take less than it is given.
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._size += len(data)

    def note(self, text: str) -> None:
        """Append one line of our own, marked as such."""
        self.write(f"[escrow] {text}\n".encode())

    def sha256(self) -> str:
        """Return the digest of the whole log."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def close(self) -> None:
        """Let go of the file; readers go on waiting for another attempt."""
        self._file.close()

    def end(self) -> None:
        """Say that nothing more will come; readers stop waiting."""
        self.close()
        # Gone already where another attempt concluded and deleted it.
        with contextlib.suppress(FileNotFoundError):
            (self._folder / _ENDED_NAME).touch()


def delete_live_log(folder: Path) -> None:
    """Delete a live log; its sealed copy is all that is left. Safe to repeat."""
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class LogSlice:
    """Some bytes of a log; ``next_offset`` is the id to resume at, ``ended``: no more will come."""

    data: bytes
    next_offset: int
    ended: bool


def read_live_log(folder: Path, offset: int = 0, limit_bytes: int = SLICE_BYTES) -> LogSlice:
    """Return what stands in the log from an offset on.

    Raises:
        LogNotFound: there is no live log: not begun, or already sealed.
        LogOffsetUnknown: the log is shorter than the offset.
    """
    # Asked before reading: an end that comes after the reading must not swallow the last bytes.
    ended = (folder / _ENDED_NAME).exists()
    try:
        with (folder / _LOG_NAME).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 <= offset <= size:
                raise LogOffsetUnknown(offset)
            file.seek(offset)
            data = file.read(limit_bytes)
    except FileNotFoundError:
        raise LogNotFound from None
    following = offset + len(data)
    return LogSlice(data, following, ended and following >= size)


def follow_live_log(folder: Path, offset: int) -> Iterator[LogSlice]:
    """Yield the log from an offset on, until it ended.

    An empty slice that has not ended says that there is nothing new: the caller waits in his own
    way before he asks on, so that no thread is held while a build is silent.

    Raises:
        LogNotFound: there was no live log when the reader came.
        LogOffsetUnknown: the log is shorter than the offset.
    """
    piece = read_live_log(folder, offset)
    while True:
        yield piece
        if piece.ended:
            return
        try:
            piece = read_live_log(folder, piece.next_offset)
        except LogNotFound:
            # Sealed while it was followed: the reader has everything up to its offset, and the
            # sealed copy has the rest under the same offsets.
            piece = LogSlice(b"", piece.next_offset, ended=True)
