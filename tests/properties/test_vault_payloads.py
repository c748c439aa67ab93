"""Whatever is done to a sealed payload, it opens to the truth or is refused."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.ground.errors import Tampered
from escrow.vault.age import (
    FileKey,
    decrypt_bytes,
    encrypt_bytes,
    new_x25519_identity,
    open_header,
    wrap_file_key,
)
from escrow.vault.age_stream import PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES, ChunkCutter
from escrow.vault.bech32 import decode_bech32, encode_bech32
from escrow.vault.errors import NoIdentityMatches
from escrow.vault.opening import open_payload

KEY = FileKey(b"0123456789abcdef")
PLAIN = random.Random(1).randbytes(6 * 65_536 + 777)
_BUFFER = memoryview(bytearray(ChunkCutter.room_for(len(PLAIN))))
PAYLOAD = bytes(
    _BUFFER[
        : ChunkCutter(KEY, bytes(PAYLOAD_NONCE_BYTES)).cut(memoryview(PLAIN), _BUFFER, final=True)
    ]
)
IDENTITY = new_x25519_identity()
HEADER = wrap_file_key(KEY, [IDENTITY.recipient])


def _is_refused(payload: bytes) -> bool:
    """Open; fail when a wrong byte comes out, tell whether the whole was refused."""
    opened = bytearray()
    try:
        for piece in open_payload([payload], KEY, "identity"):
            opened += piece
            assert PLAIN.startswith(opened)
    except Tampered:
        return True
    return bytes(opened) != PLAIN


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, len(PAYLOAD) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_is_refused(place: int, bit: int) -> None:
    changed = bytearray(PAYLOAD)
    changed[place] ^= 1 << bit
    assert _is_refused(bytes(changed))


@settings(max_examples=80, deadline=None)
@given(size=st.integers(0, len(PAYLOAD) - 1))
def test_every_truncation_is_refused(size: int) -> None:
    assert _is_refused(PAYLOAD[:size])


@settings(max_examples=60, deadline=None)
@given(more=st.binary(min_size=1, max_size=200_000))
def test_every_extension_is_refused(more: bytes) -> None:
    assert _is_refused(PAYLOAD + more)


@settings(max_examples=60, deadline=None)
@given(order=st.lists(st.integers(0, 6), min_size=1, max_size=9))
def test_every_other_order_of_chunks_is_refused(order: list[int]) -> None:
    starts = [PAYLOAD_NONCE_BYTES + place * SEALED_CHUNK_BYTES for place in order]
    chunks = b"".join(PAYLOAD[start : start + SEALED_CHUNK_BYTES] for start in starts)
    assert _is_refused(PAYLOAD[:PAYLOAD_NONCE_BYTES] + chunks) == (order != list(range(7)))


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(HEADER) - 1), byte=st.integers(0, 255))
def test_a_header_with_another_byte_gives_no_key(place: int, byte: int) -> None:
    changed = HEADER[:place] + bytes([byte]) + HEADER[place + 1 :]
    try:
        assert open_header(changed, [IDENTITY]) == KEY
        assert changed == HEADER
    except (Tampered, NoIdentityMatches):
        assert changed != HEADER


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=2_000))
def test_any_bytes_are_an_age_file_or_an_error_of_ours(data: bytes) -> None:
    for start in (b"", b"age-encryption.org/v1\n", HEADER):
        try:
            decrypt_bytes(start + data, [IDENTITY])
            raise AssertionError("nothing of this was sealed to us")
        except (Tampered, NoIdentityMatches):
            continue


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=150_000))
def test_small_files_survive_a_round_trip(data: bytes) -> None:
    assert decrypt_bytes(encrypt_bytes(data, [IDENTITY.recipient]), [IDENTITY]) == data


@given(data=st.binary(max_size=100), prefix=st.sampled_from(("age", "age1pq", "age-secret-key-")))
def test_bech32_survives_a_round_trip(data: bytes, prefix: str) -> None:
    assert decode_bech32(encode_bech32(prefix, data)) == (prefix, data)
