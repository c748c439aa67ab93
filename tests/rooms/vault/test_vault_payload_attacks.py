"""What someone who can write the payload store may try; the reader refuses each."""

import pytest
import zstandard

from escrow.vault.age import FileKey
from escrow.vault.age_stream import (
    CHUNK_BYTES,
    PAYLOAD_NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkCutter,
    ChunkSealer,
)
from escrow.vault.errors import (
    FramesMalformed,
    PayloadDigestWrong,
    PayloadTampered,
    PayloadTruncated,
)
from escrow.vault.framing import FRAME_BYTES, FrameMaker
from escrow.vault.sealing import PayloadSealer, SealedPayload, open_payload

KEY = FileKey(b"0123456789abcdef")
PLAIN = bytes(index % 253 for index in range(5 * CHUNK_BYTES + 1000))
NONCE = bytes(PAYLOAD_NONCE_BYTES)


def _seal(content: bytes, key: FileKey = KEY) -> bytes:
    cutter = ChunkCutter(key, NONCE)
    sealed = memoryview(bytearray(cutter.room_for(len(content))))
    return bytes(sealed[: cutter.cut(memoryview(content), sealed, final=True)])


PAYLOAD = _seal(PLAIN)
CHUNKS = [
    PAYLOAD[at : at + SEALED_CHUNK_BYTES]
    for at in range(PAYLOAD_NONCE_BYTES, len(PAYLOAD), SEALED_CHUNK_BYTES)
]


def _opened_before_refusal(payload: bytes, error=(PayloadTampered, PayloadTruncated)) -> bytes:
    opened = bytearray()
    with pytest.raises(error):
        for piece in open_payload([payload], KEY, "identity"):
            opened += piece
    return bytes(opened)


@pytest.mark.parametrize(
    "size", (0, 1, 15, 16, 17, 31, 32, 65_000, 65_568, 131_120, len(PAYLOAD) - 1)
)
def test_a_truncated_payload_is_never_whole(size: int) -> None:
    assert PLAIN.startswith(_opened_before_refusal(PAYLOAD[:size]))


@pytest.mark.parametrize("chunks", range(1, 6))
def test_a_payload_cut_between_chunks_is_said_to_be_truncated(chunks: int) -> None:
    cut = PAYLOAD[: PAYLOAD_NONCE_BYTES + chunks * SEALED_CHUNK_BYTES]
    _opened_before_refusal(cut, PayloadTruncated)


@pytest.mark.parametrize("order", ((1, 0, 2, 3, 4, 5), (0, 1, 2, 4, 3, 5), (5, 1, 2, 3, 4, 0)))
def test_reordered_chunks_are_refused(order) -> None:
    payload = NONCE + b"".join(CHUNKS[place] for place in order)
    assert PLAIN.startswith(_opened_before_refusal(payload))


@pytest.mark.parametrize("dropped", range(5))
def test_a_dropped_chunk_is_refused(dropped: int) -> None:
    payload = NONCE + b"".join(CHUNKS[:dropped] + CHUNKS[dropped + 1 :])
    assert PLAIN.startswith(_opened_before_refusal(payload))


@pytest.mark.parametrize(
    "more", (b"\0", bytes(16), bytes(SEALED_CHUNK_BYTES), CHUNKS[-1], CHUNKS[0], PAYLOAD)
)
def test_a_payload_with_more_after_it_is_refused(more: bytes) -> None:
    assert PLAIN.startswith(_opened_before_refusal(PAYLOAD + more))


def test_an_empty_last_chunk_after_others_is_refused() -> None:
    sealer = ChunkSealer(KEY, NONCE)
    sealed = memoryview(bytearray(2 * SEALED_CHUNK_BYTES))
    size = sealer.seal_into(PLAIN[:CHUNK_BYTES], sealed)
    size += sealer.seal_into(b"", sealed[size:], final=True)
    _opened_before_refusal(NONCE + bytes(sealed[:size]))


def test_another_file_key_opens_nothing() -> None:
    with pytest.raises(PayloadTampered):
        next(open_payload([PAYLOAD], FileKey(bytes(16)), "identity"))


@pytest.mark.parametrize("step", (1, 1000, 65_552, 1_000_000))
def test_the_pieces_in_which_a_payload_comes_do_not_matter(step: int) -> None:
    payload = PAYLOAD[:PAYLOAD_NONCE_BYTES] + PAYLOAD[PAYLOAD_NONCE_BYTES:]
    pieces = (payload[at : at + step] for at in range(0, len(payload), step))
    assert b"".join(open_payload(pieces, KEY, "identity")) == PLAIN


def test_another_whole_payload_under_the_same_key_is_refused(store) -> None:
    manifest = SealedPayload("0" * 64, 0, "identity", "0" * 64, 0)
    opened = bytearray()
    with pytest.raises(PayloadDigestWrong):
        for piece in open_payload([PAYLOAD], KEY, "identity", manifest):
            opened += piece
    # The last piece is withheld: a reader that stops at an error has no whole file.
    assert len(opened) < len(PLAIN)


def test_a_blob_changed_on_the_disk_is_refused(store, file_key) -> None:
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(PLAIN)
    sealed = sealer.finish()
    path = store._path(sealed.payload_sha256)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(200)
        file.write(b"\0\1\2")
    with pytest.raises(PayloadTampered):
        list(open_payload(store.open(sealed.payload_sha256), file_key, sealed.encoding, sealed))


FRAMES = [FrameMaker().make(PLAIN[:100_000]), FrameMaker().make(PLAIN[100_000:])]


@pytest.mark.parametrize(
    "content",
    (
        b"not zstd at all, but authentic",
        FRAMES[0] + FRAMES[1][:-1],
        FRAMES[0] + b"\0",
        FRAMES[0] + b"(\xb5/\xfd",
        b"\x50\x2a\x4d\x18\x04\0\0\0skip" + FRAMES[0],
        zstandard.ZstdCompressor(write_content_size=False).compress(PLAIN),
        zstandard.ZstdCompressor().compress(bytes(FRAME_BYTES + 1)),
        zstandard.ZstdCompressor().compress(b""),
        FRAMES[0][:8] + b"\xff" * 9 + FRAMES[0][17:],
        FRAMES[0][:6] + b"\xff\xff\xff" * 700_000,
    ),
    ids=(
        "text",
        "cut-frame",
        "trailing-byte",
        "trailing-magic",
        "skippable-frame",
        "no-content-size",
        "large-frame",
        "empty-frame",
        "damaged-frame",
        "endless-frame",
    ),
)
def test_authentic_bytes_that_are_not_our_frames_are_refused(content: bytes) -> None:
    with pytest.raises(FramesMalformed):
        list(open_payload([_seal(content)], KEY, "zstd"))


def test_frames_of_zeros_open_a_piece_at_a_time() -> None:
    content = FrameMaker().make(bytes(FRAME_BYTES)) * 300
    sizes = [len(piece) for piece in open_payload([_seal(content)], KEY, "zstd")]
    assert sizes == [FRAME_BYTES] * 300
    assert len(content) < CHUNK_BYTES


def test_an_opening_may_be_left_half_way(store, file_key) -> None:
    import threading

    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(PLAIN * 40)
    sealed = sealer.finish()
    pieces = open_payload(store.open(sealed.payload_sha256), file_key, sealed.encoding, sealed)
    next(pieces)
    pieces.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "ahead"] == []
