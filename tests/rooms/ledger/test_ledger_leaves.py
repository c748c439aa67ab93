"""Leaves as in Sigsum."""

import hashlib

import pytest

from escrow.ledger.errors import LeafKeyUnknown, LeafSignatureWrong
from escrow.ledger.leaves import LEAF_BYTES, Leaf, parse_leaf, sign_leaf
from escrow.testing.ledgers import named_key

KEY = named_key("leaf")


def test_a_leaf_has_sigsums_bytes() -> None:
    leaf = sign_leaf(b"entry", KEY)
    checksum = hashlib.sha256(hashlib.sha256(b"entry").digest()).digest()
    assert len(leaf.encoded) == LEAF_BYTES
    assert leaf.encoded == checksum + leaf.signature + hashlib.sha256(KEY.public.raw).digest()
    KEY.public.check_signature(leaf.signature, b"sigsum.org/v1/tree-leaf\0" + checksum)
    assert leaf.hash == hashlib.sha256(b"\0" + leaf.encoded).digest()


def test_a_leaf_reads_back() -> None:
    leaf = sign_leaf(b"entry", KEY)
    assert parse_leaf(leaf.encoded) == leaf
    leaf.check_signature(KEY.public)


def test_the_key_must_be_the_leaf_key() -> None:
    with pytest.raises(LeafKeyUnknown):
        sign_leaf(b"entry", named_key("other")).check_signature(KEY.public)


def test_the_signature_must_hold() -> None:
    leaf = sign_leaf(b"entry", KEY)
    with pytest.raises(LeafSignatureWrong):
        Leaf(bytes(32), leaf.signature, leaf.key_hash).check_signature(KEY.public)


def test_a_leaf_has_128_bytes() -> None:
    with pytest.raises(ValueError, match="128"):
        parse_leaf(bytes(127))
