"""Proofs out of the stored tree: that an entry stands in it, and that it only ever grew.

A proof reads one row per level of the tree, so its price does not follow the ledger's size.
What a proof proves, and its check, is in :mod:`escrow.ledger.verifying`, which needs no database;
its names are given here too.
"""

from __future__ import annotations

from collections.abc import Sequence

from escrow.ground.database import Session
from escrow.ground.signatures import PublicKey
from escrow.ledger import records
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.cosignatures import Cosignature, note_line
from escrow.ledger.errors import NodeRewritten
from escrow.ledger.leaves import parse_leaf
from escrow.ledger.lookup import records as lookup
from escrow.ledger.merkle import (
    consistency_ranges,
    hash_ranges,
    inclusion_ranges,
    whole_subtrees,
)
from escrow.ledger.verifying import LedgerProof, TrustedLogKeys, VerifiedEvent, verify_proof
from escrow.ledger.witnessing import records as witnessing

__all__ = [
    "LedgerProof",
    "TrustedLogKeys",
    "VerifiedEvent",
    "consistency_proof",
    "inclusion_of",
    "newest_checkpoint",
    "proof_of",
    "verify_proof",
    "with_cosignatures",
]


def proof_of(session: Session, entry_sha256: str) -> LedgerProof | None:
    """Return the proof of an entry under the newest checkpoint that a witness has cosigned.

    Where none covers the entry yet, it is the newest there is. The proof is as good as the stored
    rows; :func:`verify_proof` says whether they are.

    Args:
        session: reading is enough.
        entry_sha256: the entry's name, from :class:`~escrow.ledger.appending.Entry`.

    Returns:
        None when there is no such entry, or it is not sequenced yet.
    """
    found = records.leaf_of(session, entry_sha256)
    if found is None:
        return None
    entry, row = found
    cosigned = witnessing.cosigned_above(session, row.leaf_index)
    newest = cosigned or records.newest_checkpoint(session)
    if newest is None:
        return None
    leaf = parse_leaf(row.leaf)
    tree_size, note = newest
    return LedgerProof(
        entry=entry,
        leaf_index=row.leaf_index,
        leaf_key_hash=leaf.key_hash,
        leaf_signature=leaf.signature,
        path=_hashes(session, inclusion_ranges(row.leaf_index, tree_size)),
        checkpoint=with_cosignatures(session, tree_size, note) if cosigned else note,
    )


def with_cosignatures(session: Session, tree_size: int, note: str) -> str:
    """Return a checkpoint's note with the newest line of each witness that has cosigned it."""
    lines: dict[str, str] = {}
    for text, timestamp, signature in witnessing.cosignatures_of(session, tree_size):
        key = PublicKey.parse(text)
        lines.setdefault(text, note_line(Cosignature(key.key_id, timestamp, signature), key))
    return note + "".join(f"{line}\n" for line in lines.values())


def inclusion_of(
    session: Session, hash_of_leaf: bytes, tree_size: int
) -> tuple[int, tuple[bytes, ...]] | None:
    """Return index and path of a leaf in a tree, by the leaf's hash; None when it is not there.

    Raises:
        NodeRewritten: a hash is missing that must be there.
    """
    index = lookup.index_of(session, hash_of_leaf)
    if index is None or index >= tree_size:
        return None
    return index, _hashes(session, inclusion_ranges(index, tree_size))


def consistency_proof(session: Session, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Return the hashes that prove that the tree of new_size begins with that of old_size.

    Raises:
        ValueError: not 0 < old_size ≤ new_size.
        NodeRewritten: the ledger is shorter, or lacks a hash that it must have.
    """
    return _hashes(session, consistency_ranges(old_size, new_size))


def newest_checkpoint(session: Session, keys: TrustedLogKeys) -> Checkpoint | None:
    """Return the newest checkpoint, verified; None when nothing is sequenced yet.

    Raises:
        ProofFails: it is not the log's.
    """
    newest = records.newest_checkpoint(session)
    return None if newest is None else verify_checkpoint(newest[1], keys.log)


def _hashes(session: Session, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    wanted = [place for start, end in ranges for place in whole_subtrees(start, end)]
    stored = records.subtree_hashes(session, wanted)

    def hash_of(level: int, position: int) -> bytes:
        try:
            return stored[level, position]
        except KeyError:
            raise NodeRewritten(
                f"The hash at level {level}, position {position} of the tree is missing."
            ) from None

    return hash_ranges(ranges, hash_of)
