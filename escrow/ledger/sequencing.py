"""The sequencer: makes leaves of entries and signs checkpoints; the keyholder's work alone.

Guarantees: it signs only what extends the last checkpoint that it remembers on its own disk, and
only entries that a pinned role signed and that follow their predecessor. Whoever can write the
database can stop it by writing nonsense (an alarm), never make it sign nonsense.
It sees committed rows only as the caller's transaction does; it flushes, the caller commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from escrow.ground.clock import Clock
from escrow.ground.database import Session, when_committed
from escrow.ground.signatures import PublicKey, Signer
from escrow.ledger import records
from escrow.ledger.auditing import check_entry, readable_rows
from escrow.ledger.checkpoints import Checkpoint, sign_checkpoint, verify_checkpoint
from escrow.ledger.errors import CheckpointForged, LeafGap, NodeRewritten, ProofFails
from escrow.ledger.last_checkpoint import LastCheckpoint
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.lookup import records as lookup
from escrow.ledger.merkle import Frontier, nodes_in, whole_subtrees
from escrow.ledger.rows import StoredEntry, StoredLeaf, StreamHead
from escrow.ledger.stream_heads import StreamHeads

# Entries handled at a time: a few megabytes, so memory stays flat after a long stop.
SEQUENCE_BATCH = 2_000


class Sequencer:
    """Sequences pending entries under one log.

    Args:
        leaf_signer: the one public leaf key.
        log_signer: the key of the log; its hash names the log.
        clock: source of the time beside the checkpoints.
        last_checkpoint: file on the keyholder's own disk; made when the ledger is empty.
        roles: role name to the key pinned for it in the keyholder's own settings.
        heads: where the newest entry of each agreement's stream is remembered.
    """

    def __init__(
        self,
        leaf_signer: Signer,
        log_signer: Signer,
        clock: Clock,
        *,
        last_checkpoint: Path,
        roles: Mapping[str, PublicKey],
        heads: StreamHeads | None = None,
    ) -> None:
        self._leaf_signer = leaf_signer
        self._log_signer = log_signer
        self._clock = clock
        self._memory = LastCheckpoint(last_checkpoint, log_signer.public)
        self._roles = dict(roles)
        self._heads = heads
        self._has_looked_far_back = False

    def sequence(self, session: Session) -> Checkpoint | None:
        """Take all pending entries into the tree and sign a new checkpoint.

        The checkpoint must not leave the process before the transaction is committed: had the
        commit failed, another one of the same size would be signed later. Not for savepoints.

        Returns:
            None when nothing was pending.

        Raises:
            LedgerBroken: the ledger is not the one that was signed last, or a pending entry is
                forged; the concrete class says which.
            LastCheckpointLost: the keyholder's own file is missing or unreadable.
        """
        with readable_rows():
            head = self._checked_head(session)
            frontier = _frontier(session, head)
            self._take_pending(session, frontier)
        if frontier.size == (head.tree_size if head else 0):
            return None
        new = sign_checkpoint(frontier.size, frontier.root(), self._log_signer)
        # Remembered before it is stored: a crash in between leaves a memory that fits either way.
        self._memory.intend(head, new)
        records.insert_checkpoint(session, new.tree_size, new.note, self._clock.now())
        when_committed(session, lambda: self._memory.settle(new))
        return new

    def adopt(self, session: Session) -> Checkpoint | None:
        """Remember the database's newest checkpoint, after a person compared it with a party's.

        For a keyholder whose own file is lost; nothing in the service calls it by itself.

        Raises:
            CheckpointForged: it is not the log's.
        """
        head = self._newest(session)
        if head is not None:
            self._memory.adopt(head)
        return head

    def _take_pending(self, session: Session, frontier: Frontier) -> None:
        # A keyholder that starts looks at everything once: what was left out is found again.
        floor = records.settled_number(session) if self._has_looked_far_back else 0
        while pending := records.pending_entries(session, floor, SEQUENCE_BATCH):
            _check_pending(session, pending, self._roles)
            self._add_leaves(session, frontier, pending)
            self._remember_heads(session, pending)
            floor = pending[-1].number
        self._has_looked_far_back = True

    def _remember_heads(self, session: Session, pending: Sequence[StoredEntry]) -> None:
        heads = self._heads
        if heads is None:
            return
        newest = {row.stream: row.as_head for row in pending if row.stream_kind == "agreement"}
        if newest:
            when_committed(session, partial(heads.remember, newest))

    def _checked_head(self, session: Session) -> Checkpoint | None:
        head = self._newest(session)
        self._memory.check_head(head)
        leaves = records.count_leaves(session)
        if leaves != (head.tree_size if head else 0):
            raise LeafGap(f"There are {leaves} leaves, but the newest checkpoint counts others.")
        return head

    def _newest(self, session: Session) -> Checkpoint | None:
        newest = records.newest_checkpoint(session)
        try:
            return newest and verify_checkpoint(newest[1], self._log_signer.public)
        except ProofFails as problem:
            raise CheckpointForged(f"The newest checkpoint: {problem.reason}") from problem

    def _add_leaves(
        self, session: Session, frontier: Frontier, pending: Sequence[StoredEntry]
    ) -> None:
        first, first_place = frontier.size, nodes_in(frontier.size)
        made = [sign_leaf(row.entry, self._leaf_signer) for row in pending]
        hashes = [one.hash for one in made]
        leaves = [
            StoredLeaf(index, row.number, one.encoded)
            for index, (row, one) in enumerate(zip(pending, made, strict=True), first)
        ]
        records.insert_leaves(session, leaves, first_place, frontier.extend(hashes))
        lookup.insert_hashes(session, first, hashes)


def _frontier(session: Session, head: Checkpoint | None) -> Frontier:
    """Return the right edge of the stored tree, proven against the checkpoint."""
    if head is None:
        return Frontier()
    places = whole_subtrees(0, head.tree_size)
    stored = records.subtree_hashes(session, places)
    missing = [place for place in places if place not in stored]
    if missing:
        raise NodeRewritten(f"The hash at level, position {missing[0]} of the tree is missing.")
    frontier = Frontier(head.tree_size, [stored[place] for place in places])
    if frontier.root() != head.root_hash:
        raise NodeRewritten("The stored hashes do not give the root of the newest checkpoint.")
    return frontier


def _check_pending(
    session: Session, pending: Sequence[StoredEntry], roles: Mapping[str, PublicKey]
) -> None:
    heads: dict[tuple[str, str], StreamHead | None] = {}
    for row in pending:
        key = (row.stream_kind, row.stream_id)
        if key not in heads:
            heads[key] = records.entry_before(session, row)
        check_entry(row, heads[key], roles)
        heads[key] = row.as_head
