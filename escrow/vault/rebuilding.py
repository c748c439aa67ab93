"""Complete an interrupted sealing's staging and take its hashes again, from redo and staging."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from escrow.vault.age_stream import (
    CHUNK_BYTES,
    PAYLOAD_NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkCutter,
    ChunkOpener,
    sealed_size,
)
from escrow.vault.blobs import BlobStaging
from escrow.vault.errors import PayloadTampered
from escrow.vault.framing import FrameReader
from escrow.vault.redo import RedoRecord, lost

if TYPE_CHECKING:
    from hashlib import _Hash

# 16 chunks: large enough for speed, small beside the sealer's own buffers.
_READ_BYTES = 16 * SEALED_CHUNK_BYTES


@dataclass(frozen=True)
class Rebuilt:
    """The state of a sealer after everything that its staging and the cutter's tail hold."""

    cutter: ChunkCutter
    plain_hash: _Hash
    sealed_hash: _Hash
    plaintext_offset: int


def rebuild(sink: BlobStaging, record: RedoRecord, *, framed: bool) -> Rebuilt:
    """Complete the staging as the record says and return the state after it.

    Args:
        sink: the reopened staging; the chunks that the record answers for are appended.
        record: the last record of the sealing.
        framed: the payload is zstd frames.

    Raises:
        SealingLost: staging has fewer chunks than the record builds on.
        PayloadTampered: staging has other bytes than were sealed, or more.
    """
    cutter = _complete(sink, record)
    plain_hash, sealed_hash = hashlib.sha256(), hashlib.sha256()
    frames = FrameReader()
    count = 0
    with sink.open_reading() as staged:
        for piece in _opened(staged, record, cutter, sealed_hash):
            for plain in frames.feed(piece) if framed else (piece,):
                plain_hash.update(plain)
                count += len(plain)
    frames.check_end()
    if count != record.plaintext_offset:
        raise _other_bytes()
    return Rebuilt(cutter, plain_hash, sealed_hash, count)


def _complete(sink: BlobStaging, record: RedoRecord) -> ChunkCutter:
    base = sealed_size(record.chunk_count)
    already = sink.size_bytes - base
    if already < 0:
        raise lost("what was stored of it is gone")
    cutter = ChunkCutter(record.file_key, record.payload_nonce, record.chunk_count)
    buffer = memoryview(bytearray(ChunkCutter.room_for(len(record.framed))))
    size = cutter.cut(memoryview(record.framed), buffer, final=record.finishing)
    with sink.open_reading() as staged:
        staged.seek(base)
        # What is there must be the beginning of what we would write: same key, nonce and bytes.
        if already > size or staged.read(already) != buffer[:already]:
            raise _other_bytes()
    sink.append(buffer[already:size])
    return cutter


def _opened(
    staged: BinaryIO, record: RedoRecord, cutter: ChunkCutter, sealed_hash: _Hash
) -> Iterator[bytes]:
    """Yield what the staged chunks open to, then the tail that is not sealed yet."""
    nonce = staged.read(PAYLOAD_NONCE_BYTES)
    if nonce not in (b"", record.payload_nonce):
        raise _other_bytes()
    sealed_hash.update(nonce)
    opener = ChunkOpener(record.file_key, record.payload_nonce)
    opened = memoryview(bytearray(16 * CHUNK_BYTES))
    while block := staged.read(_READ_BYTES):
        sealed_hash.update(block)
        view, size = memoryview(block), 0
        for at in range(0, len(view), SEALED_CHUNK_BYTES):
            final = record.finishing and opener.index == cutter.index - 1
            chunk = view[at : at + SEALED_CHUNK_BYTES]
            size += opener.open_into(chunk, opened[size:], final=final)
        yield bytes(opened[:size])
    yield cutter.tail


def _other_bytes() -> PayloadTampered:
    return PayloadTampered(
        "The stored beginning of an upload is not what was sealed.",
        "Start the upload anew, and tell the operator: the staging folder was written to.",
    )
