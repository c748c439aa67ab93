"""Open a payload while it streams: check every chunk, decompress, check the digests at the end.

Nothing that does not authenticate is ever yielded. What is yielded is the true beginning of the
part, and the whole of it only when the iterator ends without an error; whoever hands bytes on
must treat an error at the end as "none of it". With ``expected`` the last piece is withheld until
both digests hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from escrow.vault.age_keys import FileKey
from escrow.vault.age_stream import (
    CHUNK_BYTES,
    PAYLOAD_NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkOpener,
)
from escrow.vault.errors import PayloadDigestWrong, PayloadTampered, PayloadTruncated
from escrow.vault.framing import read_frames
from escrow.vault.stages import ahead

if TYPE_CHECKING:
    from hashlib import _Hash

_BLOCK_CHUNKS = 16
_BLOCK_BYTES = _BLOCK_CHUNKS * SEALED_CHUNK_BYTES


class Digests(Protocol):
    """What is known of a part from its manifest."""

    @property
    def sha256(self) -> str:
        """Of the plaintext."""
        ...

    @property
    def payload_sha256(self) -> str:
        """Of the stored bytes."""
        ...


def open_payload(
    unverified_chunks: Iterable[bytes] | BinaryIO,
    file_key: FileKey,
    encoding: Literal["identity", "zstd"] | str,
    expected: Digests | None = None,
) -> Iterator[bytes]:
    """Yield the plaintext of a sealed payload in pieces of at most 1 MiB.

    Args:
        unverified_chunks: the payload from its first byte, in pieces of any size, or a file.
        file_key: the payload's key.
        encoding: as the manifest says.
        expected: the manifest's digests; without them only the ciphertext's own tags are checked.

    Raises:
        PayloadTampered: a chunk was changed, moved, or bytes follow the last one.
        PayloadTruncated: the payload ends before its last chunk.
        PayloadDigestWrong: authentic, but not the payload that was recorded.
        FramesMalformed: authentic, but not frames as the service writes them.
    """
    sealed_hash, plain_hash = hashlib.sha256(), hashlib.sha256()
    blocks = _blocks(unverified_chunks)
    if expected:
        # Three threads, since two hashes and the cipher take about the same time each.
        blocks = ahead(blocks, lambda source: _hashing(source, sealed_hash))
    pieces = _open_blocks(blocks, file_key)
    if encoding == "zstd":
        pieces = ahead(pieces, read_frames)
    if expected is None:
        yield from pieces
        return
    held = b""
    for piece in ahead(pieces, lambda source: _hashing(source, plain_hash)):
        if held:
            yield held
        held = piece
    _check_digests(expected, sealed_hash, plain_hash)
    if held:
        yield held


def _check_digests(expected: Digests, sealed_hash: _Hash, plain_hash: _Hash) -> None:
    found = sealed_hash.hexdigest(), plain_hash.hexdigest()
    if found != (expected.payload_sha256, expected.sha256):
        raise PayloadDigestWrong(
            "A payload opens, but is not the one that the receipt names.",
            "Do not use it; fetch the payload that the receipt names from a replica.",
        )


def _blocks(source: Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    """Yield the nonce, then blocks of 16 sealed chunks; only the last may be shorter."""
    pieces: Iterable[bytes] = source
    if hasattr(source, "read"):
        pieces = _read_blocks(source.read)
    held, wanted = bytearray(), PAYLOAD_NONCE_BYTES
    for piece in pieces:
        if not held and len(piece) == wanted:
            yield piece
            wanted = _BLOCK_BYTES
            continue
        held += piece
        while len(held) >= wanted:
            yield bytes(held[:wanted])
            del held[:wanted]
            wanted = _BLOCK_BYTES
    if held:
        yield bytes(held)


def _read_blocks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Read a file in the pieces that need no copy."""
    yield read(PAYLOAD_NONCE_BYTES)
    while block := read(_BLOCK_BYTES):
        yield block


def _hashing(pieces: Iterable[bytes], digest: _Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _open_blocks(blocks: Iterator[bytes], file_key: FileKey) -> Iterator[bytes]:
    nonce = next(blocks, b"")
    held = next(blocks, b"")
    if len(nonce) != PAYLOAD_NONCE_BYTES or not held:
        raise _truncated()
    opener = ChunkOpener(file_key, nonce)
    opened = memoryview(bytearray(_BLOCK_CHUNKS * CHUNK_BYTES))
    for block in blocks:
        yield from _open_block(opener, held, opened, last=False)
        held = block
    yield from _open_block(opener, held, opened, last=True)


def _open_block(
    opener: ChunkOpener, block: bytes, opened: memoryview, *, last: bool
) -> Iterator[bytes]:
    """Yield what opens of a block in one piece, and raise for what does not open after it."""
    view, size = memoryview(block), 0
    refusal: PayloadTampered | PayloadTruncated | None = None
    for at in range(0, len(view), SEALED_CHUNK_BYTES):
        chunk = view[at : at + SEALED_CHUNK_BYTES]
        final = last and at + SEALED_CHUNK_BYTES >= len(view)
        try:
            size += opener.open_into(chunk, opened[size:], final=final)
        except PayloadTampered as problem:
            more, refusal = _why_refused(opener, chunk, opened[size:], problem, final=final)
            size += more
            break
    if size or refusal is None:
        yield bytes(opened[:size])
    if refusal is not None:
        raise refusal


def _why_refused(
    opener: ChunkOpener,
    chunk: memoryview,
    opened: memoryview,
    problem: PayloadTampered,
    *,
    final: bool,
) -> tuple[int, PayloadTampered | PayloadTruncated]:
    """Tell a cut-off payload and one with more behind its end from a changed one.

    All three are refused. A chunk that is authentic in the other role is still the payload's own,
    so its bytes are opened, as age's vectors have it.
    """
    try:
        size = opener.open_into(chunk, opened, final=not final)
    except PayloadTampered:
        return 0, problem
    # A middle chunk is whole: a short one is nobody's, and nothing of it is given out.
    whole = len(chunk) == SEALED_CHUNK_BYTES
    return size if whole else 0, _truncated() if final else _extended()


def _truncated() -> PayloadTruncated:
    return PayloadTruncated(
        "A sealed payload ends too early.", "Fetch it again, whole, or restore it from a replica."
    )


def _extended() -> PayloadTampered:
    return PayloadTampered(
        "Bytes follow the last chunk of a sealed payload.",
        "Do not use what was opened; fetch the payload again or restore it from a replica.",
    )
