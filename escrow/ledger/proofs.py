"""Proofs out of the stored tree: that an entry stands in it, and that it only ever grew.

A proof reads one row per level of the tree, so its price does not follow the ledger's size.
What a proof proves, and its check, is in :mod:`escrow.ledger.verifying`, which needs no database;
its names are given here too.
"""

from __future__ import annotations

from collections.abc import Sequence

from escrow.ground.database import Session
from escrow.ledger import records
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.errors import NodeRewritten
from escrow.ledger.leaves import parse_leaf
from escrow.ledger.merkle import (
    consistency_ranges,
    hash_ranges,
    inclusion_ranges,
    whole_subtrees,
)
from escrow.ledger.verifying import LedgerProof, TrustedLogKeys, VerifiedEvent, verify_proof

__all__ = [
    "LedgerProof",
    "TrustedLogKeys",
    "VerifiedEvent",
    "consistency_proof",
    "newest_checkpoint",
    "proof_of",
    "verify_proof",
]


def proof_of(session: Session, entry_sha256: str) -> LedgerProof | None:
    """Return the proof of an entry under the newest checkpoint.

    The proof is as good as the stored rows; :func:`verify_proof` says whether they are.

    Args:
        session: reading is enough.
        entry_sha256: the entry's name, from :class:`~escrow.ledger.appending.Entry`.

    Returns:
        None when there is no such entry, or it is not sequenced yet.
    """
    found = records.leaf_of(session, entry_sha256)
    newest = records.newest_checkpoint(session)
    if found is None or newest is None:
        return None
    entry, row = found
    leaf = parse_leaf(row.leaf)
    tree_size, note = newest
    return LedgerProof(
        entry=entry,
        leaf_index=row.leaf_index,
        leaf_key_hash=leaf.key_hash,
        leaf_signature=leaf.signature,
        path=_hashes(session, inclusion_ranges(row.leaf_index, tree_size)),
        checkpoint=note,
    )


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
