"""The collector: asks witnesses and timestamp authorities for each new checkpoint; the worker's.

Guarantees: what it keeps was verified; one that is silent never keeps the others waiting for
longer than its own timeout; a witness that says the history is another one is an alarm, by name.
Order of effects: read → ask, with no transaction open → keep. A kill in between only loses words
that are asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from escrow.evidence.anchors import Anchors, TimestampAuthority
from escrow.evidence.timestamps import HttpAuthority, verify_timestamp
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.errors import EscrowError, Tampered
from escrow.ground.signatures import PublicKey
from escrow.ledger import records as ledger
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.cosignatures import Cosignature, Witness, body_of
from escrow.ledger.proofs import consistency_proof
from escrow.ledger.witnessing import records
from escrow.ledger.witnessing.asking import WitnessClient

# A quiet log is cosigned again, so that its witnesses' time goes on; every ten minutes is often
# enough beside a limit of a day, and a witness keeps nothing for it.
REFRESH = timedelta(minutes=10)

# A token has six kilobytes: for a new checkpoint at most each minute.
STAMP_PAUSE = timedelta(minutes=1)

_log = logging.getLogger("escrow.witnesses")


@dataclass(frozen=True)
class Collector:
    """Collects what others say of our newest checkpoint.

    Args:
        database: opened for each step by itself.
        log_key: of the trust root.
        anchors: whom to ask.
        clock: tells when a word is old.
        transport: of the HTTP clients; the network's own by default.
    """

    database: Database
    log_key: PublicKey
    anchors: Anchors
    clock: Clock
    transport: httpx.BaseTransport | None = None
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def collect(self) -> Mapping[str, EscrowError]:
        """Ask whoever has not spoken of the newest checkpoint lately; return who did not answer.

        Returns:
            the error by the name of the witness or authority.

        Raises:
            ProofFails: the stored checkpoint is not the log's.
        """
        with self.database.reading() as session:
            newest = ledger.newest_checkpoint(session)
        if newest is None:
            return {}
        checkpoint = verify_checkpoint(newest[1], self.log_key)
        problems: dict[str, EscrowError] = {}
        for witness in self.anchors.witnesses:
            try:
                self._cosign(witness, checkpoint)
            except EscrowError as silence:
                problems[witness.name] = silence
        for authority in self.anchors.authorities:
            try:
                self._stamp(authority, checkpoint)
            except EscrowError as silence:
                problems[authority.name] = silence
        for name, problem in problems.items():
            # The one is a line that is down; the other is what witnesses are there for.
            level = logging.CRITICAL if isinstance(problem, Tampered) else logging.WARNING
            _log.log(level, "%s: %s", name, problem.reason)
        return problems

    def _cosign(self, witness: Witness, checkpoint: Checkpoint) -> None:
        size, spoken = self._known.get(str(witness.key), (0, 0))
        is_fresh = spoken > (self.clock.now() - REFRESH).timestamp()
        if size == checkpoint.tree_size and is_fresh:
            return
        client = WitnessClient(witness, self.transport)
        found = client.cosign(checkpoint, self._prove, size)
        self._keep(witness, checkpoint, found)

    def _keep(self, witness: Witness, checkpoint: Checkpoint, found: Cosignature) -> None:
        with self.database.writing() as session:
            records.add_cosignature(session, checkpoint.tree_size, str(witness.key), found)
        self._known[str(witness.key)] = (checkpoint.tree_size, found.timestamp)

    def _prove(self, old: int, new: int) -> tuple[bytes, ...]:
        with self.database.reading() as session:
            return consistency_proof(session, old, new)

    def _stamp(self, authority: TimestampAuthority, checkpoint: Checkpoint) -> None:
        with self.database.reading() as session:
            last = records.last_stamp(session, authority.name)
        if last is not None:
            pause = REFRESH if last[0] == checkpoint.tree_size else STAMP_PAUSE
            if last[1] > self.clock.now() - pause:
                return
        message = body_of(checkpoint)
        token = HttpAuthority(authority, self.transport).stamp(message)
        found = verify_timestamp(token, message, (authority,))
        with self.database.writing() as session:
            records.add_timestamp(session, checkpoint.tree_size, authority.name, found.at, token)
