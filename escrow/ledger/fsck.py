"""The check of the whole ledger, from its rows alone and the public keys.

Two depths. :func:`check_tree` recomputes every digest, leaf and inner hash and every checkpoint:
what the keyholder once signed is what is stored. :func:`check_ledger` also asks of every entry
whether its role signed it and whether its stream is whole, and of every leaf whether the leaf key
signed it: it trusts nothing but the keys. Memory stays flat at any size.
Not found by either: that the newest entries, not yet under a checkpoint, were removed; that the
whole ledger was rolled back to an older state (the keyholder's own file shows that).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from escrow.ground.database import Session
from escrow.ground.signatures import PublicKey
from escrow.ledger import records
from escrow.ledger.auditing import check_entry, readable_rows
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.errors import (
    CheckpointForged,
    EntryRemoved,
    EntryRowRewritten,
    EntrySkipped,
    LeafForged,
    LeafGap,
    LeafRewritten,
    LedgerBroken,
    NodeRewritten,
    ProofFails,
    RootWrong,
)
from escrow.ledger.leaves import parse_leaf
from escrow.ledger.merkle import Frontier, leaf_hash, nodes_in
from escrow.ledger.rows import StreamHead, TreeRow
from escrow.ledger.verifying import TrustedLogKeys

_sha256 = hashlib.sha256


@dataclass(frozen=True)
class LedgerSummary:
    """What was checked and holds.

    Args:
        entries: entries in all streams; 0 in a check of the tree alone.
        streams: streams that they form; 0 likewise.
        leaves: leaves of the tree.
        pending: entries that wait for sequencing.
        root_hex: root over all leaves; that of the empty tree when there are none.
        checkpoint: the newest, None when nothing is sequenced yet.
        checkpoints: how many were checked.
    """

    entries: int
    streams: int
    leaves: int
    pending: int
    root_hex: str
    checkpoint: Checkpoint | None
    checkpoints: int


def check_ledger(session: Session, keys: TrustedLogKeys) -> LedgerSummary:
    """Check everything there is.

    1. Every checkpoint is signed by the log. 2. Every leaf stands for an entry with that
    checksum, indices run from 0. 3. Every leaf is signed by the leaf key. 4. The leaves give the
    root of each checkpoint. 5. Every inner hash is what its children give. 6. Every entry is
    signed by its role, and each stream is numbered and chained without a gap. 7. No entry was
    left out of the tree while later ones were taken in.

    Raises:
        LedgerBroken: the concrete class answers the question, the reason names the row.
    """
    with readable_rows():
        tree = _walk_tree(session, keys.log, keys.leaf)
        entries, streams = _walk_streams(session, keys.roles)
    skipped = records.skipped_entry(session)
    if skipped is not None:
        raise EntrySkipped(f"Entry {skipped} is in no leaf, although much later entries are.")
    return _summary(session, tree, entries, streams)


def check_tree(session: Session, log_key: PublicKey) -> LedgerSummary:
    """Check digests, leaves' checksums, inner hashes, roots and checkpoints, no other signature.

    Raises:
        LedgerBroken: the concrete class answers the question, the reason names the row.
    """
    with readable_rows():
        tree = _walk_tree(session, log_key, None)
    return _summary(session, tree, 0, 0)


@dataclass(frozen=True)
class _Tree:
    frontier: Frontier
    newest: Checkpoint | None
    checkpoints: int


def _summary(session: Session, tree: _Tree, entries: int, streams: int) -> LedgerSummary:
    return LedgerSummary(
        entries=entries,
        streams=streams,
        leaves=tree.frontier.size,
        pending=records.count_entries(session) - tree.frontier.size,
        root_hex=tree.frontier.root().hex(),
        checkpoint=tree.newest,
        checkpoints=tree.checkpoints,
    )


def _walk_tree(session: Session, log_key: PublicKey, leaf_key: PublicKey | None) -> _Tree:
    checkpoints = _verified_checkpoints(session, log_key)
    frontier = Frontier()
    newest: Checkpoint | None = None
    count = 0
    due = next(checkpoints, None)
    for batch in records.tree_batches(session):
        first = frontier.size
        hashes = [leaf_hash(_checked_leaf(row, at)) for at, row in enumerate(batch, first)]
        if leaf_key is not None:
            _check_leaf_signatures(batch, leaf_key)
        inner: list[bytes] = []
        while due is not None and due.tree_size <= first + len(hashes):
            inner += frontier.extend(hashes[frontier.size - first : due.tree_size - first])
            _check_root(due, frontier)
            newest, due, count = due, next(checkpoints, None), count + 1
        inner += frontier.extend(hashes[frontier.size - first :])
        _check_inner(session, nodes_in(first), inner)
    _check_end(session, frontier, newest, due)
    return _Tree(frontier, newest, count)


def _check_end(
    session: Session, frontier: Frontier, newest: Checkpoint | None, due: Checkpoint | None
) -> None:
    counted = due or newest
    if frontier.size != (counted.tree_size if counted else 0):
        raise LeafGap(
            f"There are {frontier.size} leaves, but a checkpoint counts "
            f"{counted.tree_size if counted else 0}."
        )
    if records.count_nodes(session) != nodes_in(frontier.size):
        raise NodeRewritten("There are more inner hashes than the tree has inner nodes.")


def _verified_checkpoints(session: Session, log_key: PublicKey) -> Iterator[Checkpoint]:
    """Yield the checkpoints by size, each proven to be the log's (question 1)."""
    for size, note in records.all_checkpoints(session):
        try:
            checkpoint = verify_checkpoint(str(note), log_key)
        except ProofFails as problem:
            raise CheckpointForged(f"Checkpoint {size}: {problem.reason}") from problem
        if checkpoint.tree_size != size:
            raise CheckpointForged(f"Checkpoint {size}: its note counts other leaves.")
        yield checkpoint


def _checked_leaf(row: TreeRow, index: int) -> bytes:
    # 2. index, entry, checksum; a million times, so the answer "yes" is one expression
    leaf_index, _, leaf, entry_sha256, entry = row
    if leaf_index == index and type(entry) is bytes and type(leaf) is bytes:
        message = _sha256(entry)
        if message.hexdigest() == entry_sha256 and leaf.startswith(
            _sha256(message.digest()).digest()
        ):
            return leaf
    raise _flaw_of(TreeRow(*row), index)


def _flaw_of(row: TreeRow, index: int) -> LedgerBroken:
    """Return what is wrong with a leaf row that is not as it must be."""
    if row.leaf_index != index:
        return LeafGap(f"Leaf {index} is missing; the next is {row.leaf_index}.")
    if row.entry is None:
        return EntryRemoved(f"Leaf {index} stands for entry {row.entry_number}, which is gone.")
    if not isinstance(row.entry, bytes) or _sha256(row.entry).hexdigest() != row.entry_sha256:
        return EntryRowRewritten(
            f"Entry {row.entry_number}: the bytes do not have the digest beside them."
        )
    return LeafRewritten(f"Leaf {index} does not carry the checksum of entry {row.entry_number}.")


def _check_leaf_signatures(batch: Sequence[TreeRow], leaf_key: PublicKey) -> None:
    # 3. signature
    for leaf_index, _, leaf, _, _ in batch:
        try:
            parse_leaf(leaf).check_signature(leaf_key)
        except (ProofFails, ValueError) as problem:
            raise LeafForged(f"Leaf {leaf_index}: the leaf key did not sign it.") from problem


def _check_root(checkpoint: Checkpoint, frontier: Frontier) -> None:
    # 4. root
    if checkpoint.root_hash != frontier.root():
        raise RootWrong(f"The first {frontier.size} leaves do not give their checkpoint's root.")


def _check_inner(session: Session, first_place: int, inner: list[bytes]) -> None:
    # 5. inner hashes
    stored = records.inner_hashes(session, first_place, first_place + len(inner))
    if stored == inner:
        return
    pairs = zip_longest(inner, stored)
    wrong = next(at for at, pair in enumerate(pairs, first_place) if pair[0] != pair[1])
    raise NodeRewritten(f"Inner hash {wrong} is missing, or is not what its children give.")


def _walk_streams(session: Session, roles: Mapping[str, PublicKey]) -> tuple[int, int]:
    # 6. entries
    entries = streams = 0
    before: StreamHead | None = None
    current: tuple[str, str] | None = None
    for row in records.entries_by_stream(session):
        if (row.stream_kind, row.stream_id) != current:
            current, before = (row.stream_kind, row.stream_id), None
            streams += 1
        check_entry(row, before, roles)
        before = row.as_head
        entries += 1
    return entries, streams
