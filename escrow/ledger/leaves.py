"""Leaves as in Sigsum's log protocol v1, so that stock ``sigsum-*`` programs read our tree.

A leaf is 128 bytes: checksum, signature, hash of the signer's key. The checksum is
SHA-256(SHA-256(entry)); since every entry holds a random nonce, a leaf tells a stranger nothing
but that something was written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from escrow.ground.signatures import BadSignature, PublicKey, Signer
from escrow.ledger.errors import LeafKeyUnknown, LeafSignatureWrong
from escrow.ledger.merkle import leaf_hash

# Sigsum's namespace for leaves; the zero byte ends it.
LEAF_CONTEXT = b"sigsum.org/v1/tree-leaf\0"
LEAF_BYTES = 128


@dataclass(frozen=True)
class Leaf:
    """A leaf taken apart.

    Args:
        checksum: 32 bytes, SHA-256 of SHA-256 of the entry.
        signature: 64 bytes, by the leaf key.
        key_hash: 32 bytes, SHA-256 of the leaf key.
    """

    checksum: bytes
    signature: bytes
    key_hash: bytes

    @property
    def encoded(self) -> bytes:
        """The 128 bytes that are hashed into the tree."""
        return self.checksum + self.signature + self.key_hash

    @property
    def hash(self) -> bytes:
        """The leaf's hash in the tree."""
        return leaf_hash(self.encoded)

    def check_signature(self, leaf_key: PublicKey) -> None:
        """Return when the leaf is the leaf key's.

        Raises:
            LeafKeyUnknown: it names another key.
            LeafSignatureWrong: the signature does not hold.
        """
        if self.key_hash.hex() != leaf_key.key_id:
            raise LeafKeyUnknown(
                f"The leaf names the key {self.key_hash.hex()[:16]}, not the ledger's leaf key."
            )
        try:
            leaf_key.check_signature(self.signature, LEAF_CONTEXT + self.checksum)
        except BadSignature:
            raise LeafSignatureWrong(
                "The leaf's signature does not hold over the entry's checksum."
            ) from None


def checksum_of(entry: bytes) -> bytes:
    """Return the checksum that a leaf for this entry must carry."""
    return hashlib.sha256(hashlib.sha256(entry).digest()).digest()


def sign_leaf(entry: bytes, signer: Signer) -> Leaf:
    """Return the leaf for an entry."""
    checksum = checksum_of(entry)
    return Leaf(checksum, signer.sign(LEAF_CONTEXT + checksum), bytes.fromhex(signer.public.key_id))


def parse_leaf(unverified_leaf: bytes) -> Leaf:
    """Return a leaf's fields.

    Raises:
        ValueError: not 128 bytes.
    """
    if len(unverified_leaf) != LEAF_BYTES:
        raise ValueError("a leaf has 128 bytes")
    return Leaf(unverified_leaf[:32], unverified_leaf[32:96], unverified_leaf[96:])
