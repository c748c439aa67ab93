"""What an interrupted sealing needs to go on: written to scratch before each append to staging.

The rule that this record exists for: **a STREAM chunk that may have been written is never written
again with other bytes**, since key and nonce would repeat. So before chunks are appended, their
plaintext is recorded; after a restart exactly these chunks are completed, whatever the client
sends next.

Scratch holds the file key and up to 1 MiB of plaintext; it must be memory (tmpfs) or a volume
under a key that dies with the machine's run. A record names the run (the kernel's boot id), so
one that outlived its staging's unsynced bytes is never believed.

Two slots take turns in one file; a slot's head is written last and blanked first. That orders
the writes of a process that may be killed at any point, and costs a fifth of a file per record
and a rename. It orders nothing across a power cut, hence the boot id.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from escrow.vault.age_keys import FileKey
from escrow.vault.errors import BlobStoreUnavailable, SealingLost

_FILE = "redo"
_MAGIC = b"escredo1"
_HEAD = struct.Struct("<8sQ16s16s16sBBQQQQ")
# Head on its own page, so that one write of it is never torn by a signal.
_BODY_AT = 4096
# 1 MiB of plaintext, the longest frame of it, a tail of one chunk, and room.
_SLOT_BYTES = 4 * 1024 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class RedoRecord:
    """A point from which a sealing can be completed.

    ``chunk_count`` chunks are surely in staging; ``framed`` follows them, and staging may hold
    any part of what it seals to; ``plaintext_offset`` counts the plaintext up to the end of
    ``framed``; ``unframed`` is plaintext received after that.
    """

    file_key: FileKey
    payload_nonce: bytes
    encoding: int
    finishing: bool
    chunk_count: int
    plaintext_offset: int
    framed: bytes = field(repr=False)
    unframed: bytes = field(repr=False)


def boot_id() -> bytes:
    """Return 16 bytes that are other ones after every start of the machine."""
    return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))


class RedoLog:
    """The redo file of one sealing, in a scratch folder of its own."""

    def __init__(self, folder: Path, descriptor: int, sequence: int, boot: bytes) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._sequence = sequence
        self._boot = boot

    @classmethod
    def create(cls, folder: Path, boot: bytes | None = None) -> RedoLog:
        """Begin a log in a folder that has none.

        Raises:
            FileExistsError: the folder already serves another sealing.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        return cls(folder, os.open(folder / _FILE, flags, 0o600), 0, boot or boot_id())

    @classmethod
    def reopen(cls, folder: Path, boot: bytes | None = None) -> tuple[RedoLog, RedoRecord]:
        """Return the log and its last whole record.

        Raises:
            SealingLost: no log, no whole record, or from before the machine was started.
        """
        try:
            descriptor = os.open(folder / _FILE, os.O_RDWR)
        except FileNotFoundError:
            raise lost("its scratch is gone") from None
        boot = boot or boot_id()
        heads = [(_read_head(descriptor, slot, boot), slot) for slot in (0, 1)]
        sequence, slot = max((head[1], slot) if head else (0, slot) for head, slot in heads)
        head = heads[slot][0]
        if head is None:
            os.close(descriptor)
            raise lost("its scratch is from before a restart of the machine, or not complete")
        return cls(folder, descriptor, sequence, boot), _read_record(descriptor, slot, head)

    def write(self, record: RedoRecord, framed: Sequence[bytes | memoryview]) -> None:
        """Replace the older of the two records.

        Args:
            record: all but the framed bytes.
            framed: the framed bytes in pieces, so that large ones need no copy.

        Raises:
            BlobStoreUnavailable: scratch is full; the record before still holds.
        """
        self._sequence += 1
        at = (self._sequence % 2) * _SLOT_BYTES
        sizes = sum(len(piece) for piece in framed), len(record.unframed)
        head = _HEAD.pack(
            _MAGIC,
            self._sequence,
            self._boot,
            record.file_key.raw,
            record.payload_nonce,
            record.encoding,
            record.finishing,
            record.chunk_count,
            record.plaintext_offset,
            *sizes,
        )
        try:
            os.pwrite(self._descriptor, bytes(_HEAD.size), at)
            pieces = [*framed, record.unframed]
            whole = os.pwritev(self._descriptor, pieces, at + _BODY_AT) == sum(sizes)
        except OSError:
            whole = False
        if not whole:
            raise BlobStoreUnavailable(
                "The scratch memory for uploads is full.", "Try again when other uploads are done."
            )
        os.pwrite(self._descriptor, head, at)

    def close(self) -> None:
        """Leave the log for the next process; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def destroy(self) -> None:
        """Remove the log and its folder; may be called twice."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def lost(why: str) -> SealingLost:
    """Return the error for a sealing that cannot go on."""
    return SealingLost(
        f"This upload was interrupted and cannot be resumed: {why}.", "Start the upload anew."
    )


_Head = tuple[bytes, int, bytes, bytes, bytes, int, int, int, int, int, int]


def _read_head(descriptor: int, slot: int, boot: bytes) -> _Head | None:
    data = os.pread(descriptor, _HEAD.size, slot * _SLOT_BYTES)
    if len(data) < _HEAD.size:
        return None
    head: _Head = _HEAD.unpack(data)
    return head if head[0] == _MAGIC and head[2] == boot else None


def _read_record(descriptor: int, slot: int, head: _Head) -> RedoRecord:
    _, _, _, key, nonce, encoding, finishing, chunks, offset, framed_size, unframed_size = head
    at = slot * _SLOT_BYTES + _BODY_AT
    return RedoRecord(
        file_key=FileKey(key),
        payload_nonce=nonce,
        encoding=encoding,
        finishing=bool(finishing),
        chunk_count=chunks,
        plaintext_offset=offset,
        framed=os.pread(descriptor, framed_size, at),
        unframed=os.pread(descriptor, unframed_size, at + framed_size),
    )
