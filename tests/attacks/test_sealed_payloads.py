"""Whoever owns the stores changes payloads, headers and header records; nothing changed passes.

Exhaustive where the space is small, otherwise ten thousand random flips of one bit.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escrow.ground.errors import EscrowError
from escrow.vault.age import (
    FileKey,
    Identity,
    hybrid_identity_from_seed,
    open_header,
    wrap_file_key,
)
from escrow.vault.age_keys import X25519Identity
from escrow.vault.age_stream import (
    CHUNK_BYTES,
    PAYLOAD_NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    ChunkCutter,
)
from escrow.vault.errors import (
    HeaderForged,
    HeaderMalformed,
    HeaderRecordSwapped,
    NoIdentityMatches,
    PayloadTampered,
    PayloadTruncated,
)
from escrow.vault.headers import HeaderBinding, open_header_record, seal_header_record
from escrow.vault.keys import FileKeyManager, InsecureKeyManager
from escrow.vault.sealing import open_payload

KEY = FileKey(b"0123456789abcdef")
NONCE, OTHER_NONCE = bytes(PAYLOAD_NONCE_BYTES), bytes([1] * PAYLOAD_NONCE_BYTES)
CLASSICAL, HYBRID = X25519Identity(b"c" * 32), hybrid_identity_from_seed(b"h" * 32)

PAYLOAD_FLIPS, HEADER_FLIPS, RECORD_FLIPS = 4000, 2000, 2000


def _seal(content: bytes, nonce: bytes = NONCE) -> bytes:
    cutter = ChunkCutter(KEY, nonce)
    sealed = memoryview(bytearray(cutter.room_for(len(content))))
    return bytes(sealed[: cutter.cut(memoryview(content), sealed, final=True)])


def _chunks(payload: bytes) -> list[bytes]:
    starts = range(PAYLOAD_NONCE_BYTES, len(payload), SEALED_CHUNK_BYTES)
    return [payload[at : at + SEALED_CHUNK_BYTES] for at in starts]


PLAIN = bytes(index % 253 for index in range(3 * CHUNK_BYTES + 1000))
PAYLOAD = _seal(PLAIN)


def _opens(payload: bytes, plain: bytes = PLAIN) -> bool:
    """Tell whether a payload passes as whole; whatever comes out of it is its true beginning."""
    opened = bytearray()
    try:
        for piece in open_payload([payload], KEY, "identity"):
            opened += piece
    except (PayloadTampered, PayloadTruncated):
        assert plain.startswith(opened)
        return False
    assert opened == plain
    return True


def test_chunks_in_every_order_repeated_left_out_and_exchanged() -> None:
    """Every sequence of up to five of the payload's four chunks and one of its neighbour's."""
    pieces = {**dict(enumerate(_chunks(PAYLOAD))), "foreign": _chunks(_seal(PLAIN, OTHER_NONCE))[1]}
    sequences = [
        sequence for length in range(6) for sequence in itertools.product(pieces, repeat=length)
    ]
    opening = [
        sequence
        for sequence in sequences
        if _opens(NONCE + b"".join(pieces[one] for one in sequence))
    ]
    assert len(sequences) == 3906
    assert opening == [(0, 1, 2, 3)]


def test_a_payload_cut_off_at_every_byte_of_its_last_chunk_and_around_each_other() -> None:
    short = _seal(b"not much")
    assert not any(_opens(short[:size], b"not much") for size in range(len(short)))
    ends = [PAYLOAD_NONCE_BYTES + count * SEALED_CHUNK_BYTES for count in range(4)]
    near = {end + off for end in ends for off in range(-2 * TAG_BYTES, 2 * TAG_BYTES + 1)}
    last = range(ends[-1], len(PAYLOAD))
    sizes = {size for size in (*near, *last) if 0 <= size < len(PAYLOAD)}
    assert len(sizes) > 1000
    assert not any(_opens(PAYLOAD[:size]) for size in sizes)


def test_a_payload_with_anything_after_its_end() -> None:
    short, whole = _seal(b"not much"), _seal(PLAIN[: 2 * CHUNK_BYTES])
    tails = [bytes([byte]) for byte in range(256)]
    tails += [bytes(size) for size in range(1, 4 * TAG_BYTES)]
    tails += [*_chunks(PAYLOAD), *_chunks(_seal(b"")), PAYLOAD]
    assert not any(_opens(short + tail, b"not much") for tail in tails)
    assert not any(_opens(whole + tail, PLAIN[: 2 * CHUNK_BYTES]) for tail in tails)


def test_another_nonce_opens_nothing() -> None:
    chance = random.Random(5)
    assert not any(_opens(chance.randbytes(16) + PAYLOAD[16:]) for _ in range(200))


def _flipped(data: bytes, flips: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(flips):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield bytes(changed)


def _count_refused(
    changed: Iterator[bytes], opening: Callable[[bytes], object], *refusals: type[EscrowError]
) -> int:
    refused = 0
    for one in changed:
        with pytest.raises(refusals):
            opening(one)
        refused += 1
    return refused


def test_four_thousand_flipped_bits_of_a_payload() -> None:
    assert not any(_opens(one) for one in _flipped(PAYLOAD, PAYLOAD_FLIPS, 1))


@pytest.mark.parametrize("identity", (CLASSICAL, HYBRID), ids=("classical", "hybrid"))
def test_two_thousand_flipped_bits_of_a_header(identity: Identity) -> None:
    header = wrap_file_key(KEY, [identity.recipient])
    refused = _count_refused(
        _flipped(header, HEADER_FLIPS, 2),
        lambda changed: open_header(changed, [identity]),
        HeaderMalformed,
        HeaderForged,
        NoIdentityMatches,
    )
    assert refused == HEADER_FLIPS


def test_two_thousand_flipped_bits_of_a_header_record(tmp_path: Path) -> None:
    with pytest.warns(InsecureKeyManager):
        keys = FileKeyManager(tmp_path)
    keys.create_key("agreement-agr_1")
    binding = HeaderBinding("agr_1", "prd_1", "dep_1", "prt_1", "ab" * 32, "a+b", 1)
    header = wrap_file_key(KEY, [HYBRID.recipient])
    record = seal_header_record(keys, "agreement-agr_1", binding, header)
    refused = _count_refused(
        _flipped(record, RECORD_FLIPS, 3),
        lambda changed: open_header_record(keys, "agreement-agr_1", binding, changed),
        HeaderRecordSwapped,
    )
    assert refused == RECORD_FLIPS
