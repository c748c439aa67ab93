"""Shamir's secret sharing over GF(2^8): k of n shares give the secret, k - 1 give nothing.

A share is the polynomial's values, one byte for each byte of the secret, and then its x, the
layout that OpenBao and Vault use too. Combining cannot tell a wrong share from a right one; what
was combined has to be proved by what it opens.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from escrow.vault.errors import BadQuorum, BadShares

# x is one byte and never 0, where the secret lies.
MAX_SHARES = 255

# x^8 + x^4 + x^3 + x + 1, the field of AES.
_REDUCING = 0x1B


def split(secret: bytes, k: int, n: int) -> tuple[bytes, ...]:
    """Return n shares, any k of which combine to the secret; share i has x = i + 1.

    Args:
        secret: at least one byte.
        k: how many are needed; with one, each holder is the secret's master.
        n: how many are made, at most 255 and more than k: with k of k, each may destroy it.

    Raises:
        BadQuorum: k or n out of range.
    """
    if not (1 < k < n <= MAX_SHARES) or not secret:
        raise BadQuorum(
            f"A secret cannot be split {k} of {n}.", "Choose 1 < k < n <= 255, and a secret."
        )
    polynomials = [(byte, *secrets.token_bytes(k - 1)) for byte in secret]
    return tuple(
        bytes(_evaluate(polynomial, x) for polynomial in polynomials) + bytes([x])
        for x in range(1, n + 1)
    )


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret of k shares of one deal; with fewer or other ones, something else.

    Raises:
        BadShares: fewer than two, of different lengths, without x, or one x twice.
    """
    lengths = {len(share) for share in shares}
    xs = [share[-1] for share in shares if share]
    if len(shares) < 2 or len(lengths) != 1 or lengths == {1} or 0 in xs:
        raise _bad()
    if len(set(xs)) != len(shares):
        raise _bad()
    weights = [_weight(x, xs) for x in xs]
    return bytes(
        _sum(_multiply(share[place], weight) for share, weight in zip(shares, weights, strict=True))
        for place in range(len(shares[0]) - 1)
    )


def _weight(x: int, xs: Sequence[int]) -> int:
    """Return Lagrange's weight of the share at x, for the value at 0."""
    weight = 1
    for other in xs:
        if other != x:
            weight = _multiply(weight, _multiply(other, _invert(other ^ x)))
    return weight


def _evaluate(polynomial: Sequence[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = _multiply(value, x) ^ coefficient
    return value


def _sum(values: object) -> int:
    total = 0
    for value in values:  # type: ignore[attr-defined]
        total ^= value
    return total


def _multiply(a: int, b: int) -> int:
    # No table and no branch on secret bits; Python promises no constant time beyond that, and a
    # ceremony is held in a process of its own.
    product = 0
    for _ in range(8):
        product ^= -(b & 1) & a
        a = ((a << 1) & 0xFF) ^ (-(a >> 7) & _REDUCING)
        b >>= 1
    return product


def _invert(a: int) -> int:
    # a^254, since a^255 = 1 for every a but 0.
    result = 1
    for _ in range(7):
        a = _multiply(a, a)
        result = _multiply(result, a)
    return result


def _bad() -> BadShares:
    return BadShares(
        "These shares cannot be combined.", "Give at least k different shares of one deal."
    )
