"""Bech32 (BIP 173) as age uses it: without the limit on length, one case only.

Pure text to bytes and back; what the bytes mean is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_CHARS = 6


def encode_bech32(prefix: str, data: bytes) -> str:
    """Return the lower-case Bech32 text of the bytes under a lower-case prefix."""
    values = list(_regroup(data, 8, 5))
    check = _polymod([*_spread(prefix), *values, *[0] * _CHECKSUM_CHARS]) ^ 1
    tail = [(check >> 5 * (5 - place)) & 31 for place in range(_CHECKSUM_CHARS)]
    return prefix + "1" + "".join(_ALPHABET[value] for value in (*values, *tail))


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
    if any(char not in _VALUES for char in encoded):
        raise ValueError("a character is outside the Bech32 alphabet")
    values = [_VALUES[char] for char in encoded]
    if _polymod([*_spread(prefix), *values]) != 1:
        raise ValueError("the Bech32 checksum is wrong")
    return prefix, _to_bytes(values[:-_CHECKSUM_CHARS])


def _to_bytes(values: list[int]) -> bytes:
    data = bytes(_regroup(values, 5, 8))
    # Canonical form only: two texts must never name one key.
    if list(_regroup(data, 8, 5)) != values:
        raise ValueError("the Bech32 padding is not minimal and zero")
    return data


def _regroup(data: Iterable[int], bits_in: int, bits_out: int) -> Iterable[int]:
    """Yield the same bits in groups of another width; leftovers are padded only on the way up."""
    held = bits = 0
    for value in data:
        held = (held << bits_in) | value
        bits += bits_in
        while bits >= bits_out:
            bits -= bits_out
            yield (held >> bits) & ((1 << bits_out) - 1)
        held &= (1 << bits) - 1
    if bits and bits_out < bits_in:
        yield (held << (bits_out - bits)) & ((1 << bits_out) - 1)


def _spread(prefix: str) -> list[int]:
    codes = [ord(char) for char in prefix]
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = ((check & 0x1FFFFFF) << 5) ^ value
        for place, generator in enumerate(_GENERATORS):
            if (top >> place) & 1:
                check ^= generator
    return check
