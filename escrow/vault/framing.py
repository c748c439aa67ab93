"""Compression in independent zstd frames of at most 1 MiB of content.

Each frame stands alone, so frames are made in parallel, and one damaged or lost frame of a
payload would not take the others with it. A sequence of such frames is what ``zstd -d`` reads.
The reader is stricter than zstd: it accepts only what this module writes, so that a small payload
can never ask for more than one frame's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import zstandard

from escrow.vault.errors import FramesMalformed

# 4 MiB would save 1.4 % of the size and double the memory; 256 KiB costs 5.5 %.
FRAME_BYTES = 1024 * 1024
# Level 3 makes source 13 % smaller and takes a third longer; arrival must not wait for it.
LEVEL = 1
# Below this saving the beneficiary's second command is not worth it.
_WORTHWHILE_RATIO = 0.9

# What ZSTD_compressBound gives for 1 MiB, rounded up: no frame of ours is longer.
MAX_FRAME_BYTES = FRAME_BYTES + FRAME_BYTES // 128

_MAX_FRAME_HEADER_BYTES = 18
_BLOCK_HEADER_BYTES = 3
_RLE_BLOCK = 1
_CHECKSUM_BYTES = 4


class FrameMaker:
    """Makes frames; one instance for each thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)

    def make(self, content: bytes | memoryview) -> bytes:
        """Return one whole frame that tells its content size.

        Args:
            content: 1 byte to 1 MiB.
        """
        return self._compressor.compress(content)


def compression_pays(sample: bytes | memoryview) -> bool:
    """Tell from the first bytes of a part whether compressing the whole is worth it."""
    return bool(sample) and len(FrameMaker().make(sample)) <= len(sample) * _WORTHWHILE_RATIO


class FrameReader:
    """Cuts a stream of bytes into frames and opens each; holds at most one frame."""

    def __init__(self) -> None:
        self._held = b""
        self._decompressor = zstandard.ZstdDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take authentic bytes and yield the content of every frame that is now whole.

        Raises:
            FramesMalformed: the bytes are not frames as this module writes them.
        """
        self._held += data
        at = 0
        while size := _frame_size(self._held, at):
            yield self._open(self._held[at : at + size])
            at += size
        self._held = self._held[at:]
        if len(self._held) > MAX_FRAME_BYTES:
            raise _malformed("a frame is too long")

    def check_end(self) -> None:
        """Return when the last frame was whole.

        Raises:
            FramesMalformed: bytes of an unfinished frame are left.
        """
        if self._held:
            raise _malformed("the last frame is cut off")

    def _open(self, frame: bytes) -> bytes:
        try:
            parameters = zstandard.get_frame_parameters(frame)
            if not 0 < parameters.content_size <= FRAME_BYTES or parameters.dict_id:
                raise _malformed("a frame's content size")
            return self._decompressor.decompress(frame)
        except zstandard.ZstdError:
            raise _malformed("a frame does not open") from None


def read_frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a whole sequence of frames.

    Raises:
        FramesMalformed: not a sequence of whole frames.
    """
    reader = FrameReader()
    for piece in pieces:
        yield from reader.feed(piece)
    reader.check_end()


def _frame_size(data: bytes, start: int) -> int:
    """Return the length of the frame at a place, 0 when it is not all there (RFC 8878, 3.1.1)."""
    head = data[start : start + _MAX_FRAME_HEADER_BYTES]
    if len(head) < 4:
        return 0
    try:
        if head[:4] != zstandard.FRAME_HEADER:
            raise _malformed("frame magic")
        at = start + zstandard.frame_header_size(head)
        checksum = _CHECKSUM_BYTES if head[4] & 0x04 else 0
    except (zstandard.ZstdError, IndexError):
        return 0
    last = False
    while not last:
        if at + _BLOCK_HEADER_BYTES > len(data):
            return 0
        block = int.from_bytes(data[at : at + _BLOCK_HEADER_BYTES], "little")
        last, kind, size = bool(block & 1), (block >> 1) & 3, block >> 3
        at += _BLOCK_HEADER_BYTES + (1 if kind == _RLE_BLOCK else size)
    end = at + checksum
    return end - start if end <= len(data) else 0


def _malformed(where: str) -> FramesMalformed:
    return FramesMalformed(
        f"A compressed payload is not as the service writes it ({where}).",
        "Do not use what was opened; restore the payload from a replica.",
    )
