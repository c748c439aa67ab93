"""Seal a part while it streams in: hash, compress when it pays, encrypt, hash, store.

Guarantees: memory does not grow with the part; when :meth:`PayloadSealer.finish` returns, the
payload is on the disk under its own digest; with scratch, a sealing that was killed at any point
is completed from scratch and staging without any chunk being written twice with other bytes.
It makes no header: the file key is the caller's, who wraps it (``age.wrap_file_key``).
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, Literal

from escrow.ground.digests import Sha256Hex
from escrow.vault.age_keys import FileKey
from escrow.vault.age_stream import PAYLOAD_NONCE_BYTES, ChunkCutter
from escrow.vault.blobs import BlobStaging, BytesLike
from escrow.vault.errors import SealingOver
from escrow.vault.framing import FrameMaker, compression_pays
from escrow.vault.opening import open_payload
from escrow.vault.rebuilding import Rebuilt, rebuild
from escrow.vault.redo import RedoLog, RedoRecord
from escrow.vault.segments import SEGMENT_BYTES, Redo, Segment
from escrow.vault.stages import FirstFailure, Stage

__all__ = ["PayloadSealer", "SealedPayload", "open_payload"]

EncodingName = Literal["identity", "zstd"]

# Enough that each stage has one and some wait, so that a slow disk stops no hash; 2.2 MiB each.
MAX_SEGMENTS = 8
# zstd is the long pole (2 of 2.7 CPU-seconds per GiB); more workers than this only cost memory.
MAX_FRAME_WORKERS = 4


# What any user may give a pipe (/proc/sys/fs/pipe-max-size): eight times fewer reads of a tar.
_PIPE_BYTES = 1024 * 1024


class Encoding(IntEnum):
    """How the framed bytes of a payload relate to its plaintext."""

    UNDECIDED = 0
    IDENTITY = 1
    ZSTD = 2


@dataclass(frozen=True)
class SealedPayload:
    """What a manifest says of a sealed part; both digests were taken while the bytes passed."""

    sha256: Sha256Hex
    size_bytes: int
    encoding: EncodingName
    payload_sha256: Sha256Hex
    payload_size_bytes: int


class PayloadSealer:
    """Seals one payload into one staging; used by one thread at a time.

    Args:
        sink: a fresh staging; the sealer commits or discards it.
        file_key: of this payload alone.
        encoding: ``auto`` looks at the first MiB and decides.
        scratch: a folder for this sealing alone, in memory; None makes it not resumable.
    """

    def __init__(
        self,
        sink: BlobStaging,
        file_key: FileKey,
        encoding: Literal["auto", "identity", "zstd"] = "auto",
        scratch: Path | None = None,
    ) -> None:
        redo = RedoLog.create(scratch) if scratch else None
        nonce = secrets.token_bytes(PAYLOAD_NONCE_BYTES)
        chosen = Encoding.UNDECIDED if encoding == "auto" else Encoding[encoding.upper()]
        start = Rebuilt(ChunkCutter(file_key, nonce), hashlib.sha256(), hashlib.sha256(), 0)
        self._set_up(sink, file_key, nonce, chosen, redo, start)
        try:
            self._record(b"")
        except BaseException:
            self.discard()
            raise

    @classmethod
    def resume(cls, sink: BlobStaging, scratch: Path) -> PayloadSealer:
        """Go on with a sealing whose process ended; ``received_bytes`` tells from where.

        Args:
            sink: the reopened staging.
            scratch: the folder given to the first sealer.

        Raises:
            SealingLost: scratch is gone or older than the machine's start, or staging is short.
            PayloadTampered: staging holds other bytes than were sealed.
        """
        redo, record = RedoLog.reopen(scratch)
        encoding = Encoding(record.encoding)
        try:
            start = rebuild(sink, record, framed=encoding is Encoding.ZSTD)
        except BaseException:
            redo.close()
            raise
        sealer = cls.__new__(cls)
        sealer._set_up(sink, record.file_key, record.payload_nonce, encoding, redo, start)
        sealer._fill(memoryview(record.unframed))
        sealer._finishing = record.finishing
        return sealer

    def _set_up(
        self,
        sink: BlobStaging,
        file_key: FileKey,
        nonce: bytes,
        encoding: Encoding,
        redo: RedoLog | None,
        start: Rebuilt,
    ) -> None:
        self._sink = sink
        self.file_key = file_key
        self._nonce = nonce
        self._encoding = encoding
        self._redo = redo
        self._cutter = start.cutter
        self._plain_hash = start.plain_hash
        self._sealed_hash = start.sealed_hash
        self._framed_offset = start.plaintext_offset
        self.received_bytes = start.plaintext_offset
        self._finishing = False
        self._failure = FirstFailure()
        self._segments = 0
        self._free: SimpleQueue[Segment] = SimpleQueue()
        self._current: Segment | None = None
        self._dispatch: Callable[[Segment], None] = self._start_stages
        self._stages: list[Stage[Segment]] = []
        self._makers = threading.local()

    # --- what the owner calls -----------------------------------------------------------------

    def write(self, data: BytesLike) -> None:
        """Take plaintext; waits while all buffers are in use.

        Args:
            data: any amount; free to be changed when the call returns.

        Raises:
            SealingOver: finishing was begun.
            BlobStoreUnavailable: store or scratch failed, perhaps at an earlier write.
        """
        if self._finishing and len(data):
            raise SealingOver(
                "This upload was complete already and takes no more bytes.",
                "Ask for its state instead of sending again.",
            )
        self._fill(memoryview(data).cast("B"))

    def write_from(self, source: BinaryIO) -> None:
        """Take everything that a binary file or pipe has, without a copy in between.

        Raises:
            SealingOver, BlobStoreUnavailable: see :meth:`write`.
        """
        self.write(b"")
        _widen(source)
        while True:
            segment = self._take_segment()
            count = source.readinto(segment.plain[segment.size :])  # type: ignore[attr-defined]
            if not count:
                return
            self._filled(segment, count)

    def checkpoint(self) -> None:
        """Make everything written so far resumable; without scratch only wait for the stages.

        Raises:
            BlobStoreUnavailable: store or scratch failed.
        """
        self._drain()
        if not self._finishing:
            self._record(self._current.content if self._current else b"")

    def finish(self) -> SealedPayload:
        """Seal the last chunk, make the payload durable under its digest, destroy scratch.

        Raises:
            BlobStoreUnavailable: store or scratch failed. When only the commit failed a second
                call repeats it; otherwise :meth:`suspend` and :meth:`resume` go on.
        """
        if not self._finishing:
            self._finishing = True
            segment = self._take_segment()
            segment.final = True
            if self._encoding is Encoding.UNDECIDED:
                self._decide(segment)
            (self._dispatch if self._stages else self._seal_at_once)(self._leave(segment))
        self._drain()
        self._stop_stages()
        digest = Sha256Hex(self._sealed_hash.hexdigest())
        sealed = SealedPayload(
            sha256=Sha256Hex(self._plain_hash.hexdigest()),
            size_bytes=self.received_bytes,
            encoding="zstd" if self._encoding is Encoding.ZSTD else "identity",
            payload_sha256=digest,
            payload_size_bytes=self._sink.size_bytes,
        )
        self._sink.commit(digest)
        if self._redo:
            self._redo.destroy()
        return sealed

    def suspend(self) -> None:
        """Stop, leaving scratch and staging for :meth:`resume`; :meth:`checkpoint` comes before.

        For a process that ends in order. May be called after a failure.
        """
        self._finishing = True
        self._stop_stages()
        if self._redo:
            self._redo.close()
        self._sink.close()

    def discard(self) -> None:
        """Give up: stop, destroy scratch, discard the staging. May be called in any state."""
        self._finishing = True
        self._stop_stages()
        if self._redo:
            self._redo.destroy()
        self._sink.discard()

    # --- buffers ------------------------------------------------------------------------------

    def _fill(self, view: memoryview) -> None:
        self._failure.check()
        while view:
            segment = self._take_segment()
            count = min(len(view), SEGMENT_BYTES - segment.size)
            segment.plain[segment.size : segment.size + count] = view[:count]
            self._filled(segment, count)
            view = view[count:]

    def _filled(self, segment: Segment, count: int) -> None:
        segment.size += count
        self.received_bytes += count
        if segment.size == SEGMENT_BYTES:
            if self._encoding is Encoding.UNDECIDED:
                self._decide(segment)
            self._dispatch(self._leave(segment))

    def _decide(self, segment: Segment) -> None:
        pays = compression_pays(segment.content)
        self._encoding = Encoding.ZSTD if pays else Encoding.IDENTITY

    def _take_segment(self) -> Segment:
        if self._current is None:
            if self._segments < MAX_SEGMENTS and self._free.empty():
                self._segments += 1
                self._free.put(Segment())
            segment = self._free.get()
            segment.size, segment.final = 0, False
            self._failure.check()
            self._current = segment
        return self._current

    def _leave(self, segment: Segment) -> Segment:
        segment.end_offset = self.received_bytes
        self._current = None
        return segment

    def _drain(self) -> None:
        """Wait until every segment but the one being filled came back."""
        away = self._segments - (1 if self._current else 0)
        for segment in [self._free.get() for _ in range(away)]:
            self._free.put(segment)
        self._failure.check()

    # --- stages -------------------------------------------------------------------------------

    def _start_stages(self, first: Segment) -> None:
        """Start the threads at the first full segment; a small part never has any."""
        failure = self._failure
        hash_sealed = Stage("seal-hash", self._hash_sealed, self._free.put, failure)
        store = Stage("seal-store", self._store, hash_sealed.put, failure)
        seal = Stage("seal-chunks", self._seal, store.put, failure)
        hash_plain = Stage("seal-plain", self._hash_plain, seal.put, failure)
        self._stages = [hash_plain, seal, store, hash_sealed]
        self._dispatch = hash_plain.put
        if self._encoding is Encoding.ZSTD:
            workers = min(MAX_FRAME_WORKERS, os.cpu_count() or 1)
            frame = Stage("seal-frame", self._frame, _ignore, failure, workers)
            self._stages.insert(0, frame)

            def dispatch(segment: Segment) -> None:
                frame.put(segment)
                hash_plain.put(segment)

            self._dispatch = dispatch
        self._dispatch(first)

    def _seal_at_once(self, segment: Segment) -> None:
        try:
            if self._encoding is Encoding.ZSTD:
                self._frame(segment)
            self._hash_plain(segment)
            self._seal(segment)
            self._store(segment)
            self._hash_sealed(segment)
        except BaseException as error:
            self._failure.error = error
            raise
        finally:
            self._free.put(segment)

    def _stop_stages(self) -> None:
        for stage in self._stages:
            stage.stop()
        self._stages = []

    def _frame(self, segment: Segment) -> None:
        frame = b""
        try:
            if segment.size:
                maker = getattr(self._makers, "own", None) or FrameMaker()
                self._makers.own = maker
                frame = maker.make(segment.content)
        finally:
            # Also after a failure: the sealing stage waits for it.
            segment.framed.put(frame)

    def _hash_plain(self, segment: Segment) -> None:
        self._plain_hash.update(segment.content)

    def _seal(self, segment: Segment) -> None:
        framed = segment.content
        if self._encoding is Encoding.ZSTD:
            framed = memoryview(segment.framed.get())
        self._framed_offset = segment.end_offset
        segment.redo = self._redo_of(framed, finishing=segment.final)
        segment.sealed_size = self._cutter.cut(framed, segment.sealed, final=segment.final)

    def _store(self, segment: Segment) -> None:
        # The record comes before the first byte that it answers for.
        if self._redo and segment.redo:
            self._redo.write(*segment.redo)
            segment.redo = None
        self._sink.append(segment.sealed[: segment.sealed_size])

    def _hash_sealed(self, segment: Segment) -> None:
        self._sealed_hash.update(segment.sealed[: segment.sealed_size])

    def _record(self, unframed: BytesLike) -> None:
        """Write a record of what was received but is in no segment; every stage is at rest."""
        if self._redo and (redo := self._redo_of(memoryview(b""), unframed)):
            self._redo.write(*redo)

    def _redo_of(
        self, framed: memoryview, unframed: BytesLike = b"", *, finishing: bool = False
    ) -> Redo | None:
        """Return the record of what the cutter is about to cut, its framed bytes in pieces."""
        if self._redo is None:
            return None
        record = RedoRecord(
            file_key=self.file_key,
            payload_nonce=self._nonce,
            encoding=self._encoding,
            finishing=finishing,
            chunk_count=self._cutter.index,
            plaintext_offset=self._framed_offset,
            framed=b"",
            unframed=bytes(unframed),
        )
        return record, [self._cutter.tail, framed]


def _widen(source: BinaryIO) -> None:
    """Let a pipe hold a whole segment, so that its writer need not wait for each of our reads."""
    try:
        fcntl.fcntl(source.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (OSError, io.UnsupportedOperation):
        # A file, or a system that grants no more: only slower.
        return


def _ignore(segment: Segment) -> None:
    """Frames are fetched by the sealing stage; the framing one passes nothing on."""
