"""Bech32 (BIP 173) as age uses it: without the limit on length, one case only.

Pure text to bytes and back; what the bytes mean is decided by the caller.
"""

from __future__ import annotations

import base64
from functools import reduce
from operator import xor

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_CHARS = 6

# A post-quantum recipient has two thousand characters and every dealing writes three: groups of
# five bits are made and read by the standard library's base32, which has the same ones.
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_FIVE_BITS = bytes(range(32))
_AS_TEXT = bytes.maketrans(_FIVE_BITS, _ALPHABET.encode("ascii"))
_FROM_TEXT = bytes.maketrans(_ALPHABET.encode("ascii"), _FIVE_BITS)
_AS_BASE32 = bytes.maketrans(_FIVE_BITS, _BASE32)
_FROM_BASE32 = bytes.maketrans(_BASE32, _FIVE_BITS)

# What the five bits that leave the check on top do to it: the generators of the bits that are set.
_STEPS = tuple(
    reduce(xor, (one for place, one in enumerate(_GENERATORS) if (top >> place) & 1), 0)
    for top in range(32)
)


def encode_bech32(prefix: str, data: bytes) -> str:
    """Return the lower-case Bech32 text of the bytes under a lower-case prefix."""
    values = _to_values(data)
    check = _polymod(_spread(prefix) + values + bytes(_CHECKSUM_CHARS)) ^ 1
    tail = bytes((check >> 5 * (5 - place)) & 31 for place in range(_CHECKSUM_CHARS))
    return prefix + "1" + (values + tail).translate(_AS_TEXT).decode("ascii")


def decode_bech32(text: str) -> tuple[str, bytes]:
    """Return the prefix (lower case) and the bytes of a Bech32 text.

    Raises:
        ValueError: mixed case, a character outside the alphabet, a wrong checksum, or padding
            that is longer than needed or not zero.
    """
    lower = text.lower()
    if text not in (lower, text.upper()) or not text.isascii():
        raise ValueError("Bech32 text is all upper or all lower case")
    prefix, separator, encoded = lower.rpartition("1")
    if not separator or not prefix or len(encoded) < _CHECKSUM_CHARS:
        raise ValueError("Bech32 text has a prefix, a 1 and a checksum")
    if not all(33 <= ord(char) <= 126 for char in prefix):
        raise ValueError("a Bech32 prefix is printable")
    if encoded.strip(_ALPHABET):
        raise ValueError("a character is outside the Bech32 alphabet")
    values = encoded.encode("ascii").translate(_FROM_TEXT)
    if _polymod(_spread(prefix) + values) != 1:
        raise ValueError("the Bech32 checksum is wrong")
    return prefix, _to_bytes(values[:-_CHECKSUM_CHARS])


def _to_bytes(values: bytes) -> bytes:
    data = base64.b32decode(values.translate(_AS_BASE32) + b"=" * (-len(values) % 8))
    # Canonical form only: two texts must never name one key.
    if _to_values(data) != values:
        raise ValueError("the Bech32 padding is not minimal and zero")
    return data


def _to_values(data: bytes) -> bytes:
    """Return the bits in groups of five, padded with zeros: as base32 groups them, too."""
    return base64.b32encode(data).rstrip(b"=").translate(_FROM_BASE32)


def _spread(prefix: str) -> bytes:
    codes = prefix.encode("ascii")
    return bytes([*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)])


def _polymod(values: bytes) -> int:
    check = 1
    for value in values:
        check = ((check & 0x1FFFFFF) << 5) ^ value ^ _STEPS[check >> 25]
    return check
