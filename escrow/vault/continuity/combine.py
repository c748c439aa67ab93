#!/usr/bin/env python3
"""Combine opened shares into the age identity that was split: combine.py SHARE.json …

Needs nothing but Python 3. Reads JSON documents with k and a base64 share (32 bytes and x), from
k different ones it makes the secret over GF(256), polynomial 0x11b, at x = 0, and prints it as
age's text of a post-quantum hybrid identity. Wrong shares give a wrong identity, which opens
nothing.
"""

import base64
import json
import sys
from typing import Any

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
PREFIX = "age-secret-key-pq-"


def times(a: int, b: int) -> int:
    """Multiply in GF(256)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def inverse(a: int) -> int:
    """Return the b with a times b = 1."""
    return next(b for b in range(1, 256) if times(a, b) == 1)


def combined(shares: list[bytes]) -> bytes:
    """Interpolate at 0; each share is y[0] … y[31] and x."""
    secret = bytearray(len(shares[0]) - 1)
    for share in shares:
        weight = 1
        for other in shares:
            if other is not share:
                weight = times(weight, times(other[-1], inverse(other[-1] ^ share[-1])))
        for place in range(len(secret)):
            secret[place] ^= times(weight, share[place])
    return bytes(secret)


def bech32(prefix: str, data: bytes) -> str:
    """Return Bech32 text (BIP 173, any length)."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[place : place + 5], 2) for place in range(0, len(bits), 5)]
    spread = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = 1
    for value in [*spread, *values, 0, 0, 0, 0, 0, 0]:
        top = check >> 25
        check = ((check & 0x1FFFFFF) << 5) ^ value
        for number, generator in enumerate(GENERATORS):
            if (top >> number) & 1:
                check ^= generator
    check ^= 1
    tail = [(check >> 5 * (5 - place)) & 31 for place in range(6)]
    return prefix + "1" + "".join(ALPHABET[value] for value in [*values, *tail])


def main(paths: list[str]) -> None:
    """Read the shares, print the identity."""
    documents: list[dict[str, Any]] = []
    for path in paths:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - plain Python, kept for decades
            documents.append(json.load(file))
    shares: dict[int, bytes] = {}
    for document in documents:
        share = base64.b64decode(document["share"])
        shares[share[-1]] = share
    needed = max(document["k"] for document in documents) if documents else 1
    same = {(one["agreement_id"], one.get("epoch"), one["n"]) for one in documents}
    if len(same) != 1 or len(shares) < needed:
        sys.exit(f"{len(shares)} different shares of one dealing are given, {needed} are needed.")
    print(bech32(PREFIX, combined(list(shares.values())[:needed])).upper())


if __name__ == "__main__":
    main(sys.argv[1:])
