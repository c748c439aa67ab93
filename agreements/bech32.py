"""The checksum of age public keys, so that one mistyped letter is found before anything is sealed.

Only the text is checked; whether it names a usable key is for whoever seals to it.
"""

from __future__ import annotations

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_CHARS = 6


def holds_checksum(text: str) -> bool:
    """Return whether a lower-case Bech32 text carries its right checksum (BIP 173).

    The length limit of BIP 173 is left out on purpose: age's hybrid keys are longer.
    """
    prefix, separator, data = text.rpartition("1")
    if not prefix or not separator or len(data) < _CHECKSUM_CHARS:
        return False
    if any(char not in _CHARSET for char in data):
        return False
    expanded = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    return _polymod(expanded + [_CHARSET.index(char) for char in data]) == 1


def _polymod(values: list[int]) -> int:
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            remainder ^= factor if (top >> bit) & 1 else 0
    return remainder
