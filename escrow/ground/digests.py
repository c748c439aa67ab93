"""SHA-256 and salted commitments; the only digest that the service trusts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NewType

import rfc8785

Sha256Hex = NewType("Sha256Hex", str)
"""A SHA-256 digest as 64 lower-case hexadecimal digits."""

# 16 random bytes make a commitment to a guessable value (a commit id, a file name) unguessable.
SALT_BYTES = 16


def sha256_hex(data: bytes) -> Sha256Hex:
    """Return the SHA-256 of the bytes in hex."""
    return Sha256Hex(hashlib.sha256(data).hexdigest())


def canonical_json(value: object) -> bytes:
    """Return the RFC 8785 form of a JSON value: the bytes that are hashed and signed.

    Raises:
        ValueError: the value holds something that JSON cannot (rfc8785's own error is one).
    """
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def new_salt() -> str:
    """Return a fresh salt in hex."""
    return secrets.token_hex(SALT_BYTES)


def commitment(salt: str, values: Mapping[str, object]) -> Sha256Hex:
    """Return a salted commitment to named values (protocol.md, "Commitments").

    Args:
        salt: hex of at least 16 random bytes, kept by whoever may later open the commitment.
        values: what is committed to; canonicalised by RFC 8785.
    """
    return sha256_hex(b"escrow-commitment/1\0" + canonical_json({"salt": salt, "values": values}))


def once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's members, for ``json.loads(…, object_pairs_hook=once_each)``.

    Of two members with one name some readers take the first, others the last (RFC 8259, section
    4): such a text says two things.

    Raises:
        ValueError: a name stands there twice.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("one name stands in an object twice")
    return members
