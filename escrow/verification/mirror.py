"""A worker's live logs, mirrored where they are read: plaintext in memory at both ends.

A worker that runs apart writes a live log into its own scratch; the portal, which answers readers,
keeps a copy in its own. The worker's side looks at its folders and sends what the other side lacks
(:func:`send_news`); the portal's takes it in (:class:`LogMirror`). Either may be restarted at any
moment: the answer to each piece says where the mirror stands, and the sender goes on from there.

Guarantees: a mirror only grows, like the log itself; it holds the bytes of one writer without gap
or repetition. When another worker takes an examination over, its log goes on behind the first
one's, which has nothing more to say. No piece is ever written to a disk by either side.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from escrow.verification.errors import LogNotFound
from escrow.verification.log import (
    LiveLog,
    delete_live_log,
    log_folder,
    log_folders,
    read_live_log,
)

# Names the log that a folder holds, so that the other side tells one worker's from another's.
_WRITER_NAME = "writer"


class LogReceiver(Protocol):
    """Where a worker's live logs are mirrored. Every call may be repeated."""

    def take(self, examination_id: str, writer: str, offset: int, data: bytes) -> int:
        """Take the bytes from an offset on, and return the offset that is wanted next.

        Args:
            writer: names the log that the bytes are from.
            offset: where in that log they stand; where it is not what was wanted, nothing is taken.
        """
        ...

    def end(self, examination_id: str, writer: str) -> None:
        """Tell readers that nothing more will come of this log."""
        ...

    def drop(self, examination_id: str, writer: str) -> None:
        """Delete the mirror: the log was sealed, or nobody will write it."""
        ...


@dataclass
class _Mirrored:
    log: LiveLog
    writer: str
    taken_bytes: int = 0


class LogMirror:
    """The portal's side; a :class:`LogReceiver` usable from several threads.

    Args:
        scratch: in memory; what a predecessor left there is removed, since nobody goes on with it.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._guard = threading.Lock()
        self._mirrored: dict[str, _Mirrored] = {}
        self._silenced: set[str] = set()
        for folder in log_folders(scratch):
            delete_live_log(folder)

    def take(self, examination_id: str, writer: str, offset: int, data: bytes) -> int:
        """Take the bytes if they are the ones that are wanted."""
        with self._guard:
            if writer in self._silenced:
                # Taken over: it is let run on, so that it does not send the same for ever.
                return offset + len(data)
            mirrored = self._of(examination_id, writer)
            if offset == mirrored.taken_bytes:
                mirrored.log.write(data)
                mirrored.taken_bytes += len(data)
            return mirrored.taken_bytes

    def end(self, examination_id: str, writer: str) -> None:
        """Mark the mirror as ended."""
        with self._guard:
            mirrored = self._mirrored.get(examination_id)
            if mirrored is not None and mirrored.writer == writer:
                mirrored.log.end()

    def drop(self, examination_id: str, writer: str) -> None:
        """Delete the mirror of that writer; one that another has taken over stays."""
        with self._guard:
            self._silenced.discard(writer)
            mirrored = self._mirrored.get(examination_id)
            if mirrored is not None and mirrored.writer == writer:
                del self._mirrored[examination_id]
                mirrored.log.close()
                delete_live_log(log_folder(self._scratch, examination_id))

    def forget(self, is_over: Callable[[str], bool]) -> None:
        """Delete the mirrors of examinations that are over: their worker died before it said so."""
        with self._guard:
            known = dict(self._mirrored)
        for examination_id, mirrored in known.items():
            if is_over(examination_id):
                self.drop(examination_id, mirrored.writer)

    def _of(self, examination_id: str, writer: str) -> _Mirrored:
        mirrored = self._mirrored.get(examination_id)
        if mirrored is None:
            log = LiveLog(log_folder(self._scratch, examination_id))
            mirrored = self._mirrored[examination_id] = _Mirrored(log, writer)
        elif mirrored.writer != writer:
            self._silenced.add(mirrored.writer)
            mirrored.writer, mirrored.taken_bytes = writer, 0
        return mirrored


class LogSender:
    """The worker's side: remembers how far each log was sent.

    Args:
        scratch: where the worker's live logs lie.
        receiver: the other side.
    """

    def __init__(self, scratch: Path, receiver: LogReceiver) -> None:
        self._scratch = scratch
        self._receiver = receiver
        self._sent: dict[str, tuple[str, int]] = {}

    def send_news(self) -> None:
        """Send whatever the other side lacks, and tell it what ended or is gone.

        Raises:
            EscrowError: the other side cannot be reached; the next call goes on from here.
        """
        there = {folder.name: folder for folder in log_folders(self._scratch)}
        for examination_id, folder in there.items():
            with contextlib.suppress(LogNotFound):
                self._send(examination_id, folder)
        for examination_id in self._sent.keys() - there.keys():
            self._receiver.drop(examination_id, self._sent[examination_id][0])
            del self._sent[examination_id]

    def _send(self, examination_id: str, folder: Path) -> None:
        writer = _writer_of(folder)
        known, offset = self._sent.get(examination_id, (writer, 0))
        if known != writer:
            offset = 0
        self._sent[examination_id] = (writer, offset)
        while (piece := read_live_log(folder, offset)).data:
            offset = self._receiver.take(examination_id, writer, offset, piece.data)
            self._sent[examination_id] = (writer, offset)
        if piece.ended:
            self._receiver.end(examination_id, writer)


def _writer_of(folder: Path) -> str:
    """Return the name of a folder's log, given at the first look; it goes with the folder."""
    path = folder / _WRITER_NAME
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
    except FileExistsError:
        pass
    except FileNotFoundError:
        # Sealed and gone since we looked.
        raise LogNotFound from None
    return path.read_text(encoding="ascii")
