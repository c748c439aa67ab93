"""What every act of the keyholder stands on: its keys, the ledger, and who may be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from escrow.evidence.anchors import NO_ANCHORS, Anchors
from escrow.evidence.statements import Stamp
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import NotFound, NotPermitted, Tampered
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.ledger.events import Event, Stream
from escrow.ledger.proofs import TrustedLogKeys, proof_of, verify_proof
from escrow.ledger.reading import PAGE_ENTRIES, RecordedEvent, read_newest, read_stream
from escrow.ledger.sequencing import Sequencer
from escrow.ledger.stream_heads import StreamHeads
from escrow.operations.calls.unix import SERVICE
from escrow.operations.keyholder.disk import KEYHOLDER, OwnDisk, Pinned
from escrow.operations.keyholder.outside import NOBODY, Outside
from escrow.operations.keyholder.wire import WORKER
from escrow.vault.continuity.copies import ContinuityFolder
from escrow.vault.keys import KeyManager


class NotInLedger(Tampered):
    """A row asks for something that no sequenced entry of a pinned role bears out."""

    code = "keyholder.not-in-ledger"


class NoSuchThing(NotFound):
    """The keyholder was asked about something that does not exist."""

    code = "keyholder.no-such-thing"


class WorkerNotPinned(NotPermitted):
    """A worker that is not in the keyholder's settings asks for file keys."""

    code = "keyholder.worker-not-pinned"


@dataclass(frozen=True)
class Grounds:
    """The keyholder's possessions, shared by its rooms.

    Args:
        workers: the pinned age recipient of each worker, by its name.
    """

    database: Database
    keys: KeyManager
    role_key: SigningKey
    scribe: Scribe
    sequencer: Sequencer
    trusted: TrustedLogKeys
    workers: Mapping[str, str]
    clock: Clock
    heads: StreamHeads
    stamp: Stamp
    outside: Outside = NOBODY
    # None where no holders outside the operator are set.
    continuity: ContinuityFolder | None = None

    def recipient_of(self, asker: str) -> str:
        """Return the recipient that a worker's file keys are sealed to.

        On one machine whoever may ask is portal and worker in one, and there is one worker.

        Raises:
            WorkerNotPinned: none of this name is pinned.
        """
        recipient = self.workers.get(WORKER if asker == SERVICE else asker)
        if recipient is None:
            raise WorkerNotPinned(
                f"No worker {asker[:40]!r} is pinned here.",
                "Nothing was opened; name it in ESCROW_MORE_WORKERS of every process, on purpose.",
            )
        return recipient

    def sequence(self) -> None:
        """Take every waiting entry into the tree and sign a checkpoint."""
        with self.database.writing() as session:
            self.sequencer.sequence(session)

    def proven_event(
        self, session: Session, entry_sha256: str | None, event_type: str, role: str
    ) -> Event:
        """Return an event that stands in the signed tree and was written by the expected role.

        Raises:
            NotInLedger: there is none of this name, type and role.
            ProofFails: the stored proof does not hold.
        """
        proof = proof_of(session, entry_sha256) if entry_sha256 else None
        event = verify_proof(proof, self.trusted).event if proof else None
        if event is None or (event.type, event.role) != (event_type, role):
            raise NotInLedger(
                f"The ledger bears out no {event_type} by the {role}.",
                "Nothing was opened; the operator has to compare database and ledger.",
            )
        return event

    def check_stated(
        self,
        session: Session,
        stream: Stream,
        event_type: str,
        role: str,
        facts: Mapping[str, object],
    ) -> None:
        """Return when a proven event of the stream, by that role, states these facts.

        Raises:
            as :meth:`stated`.
        """
        self.stated(session, stream, event_type, role, facts)

    def stated(
        self,
        session: Session,
        stream: Stream,
        event_type: str,
        role: str,
        facts: Mapping[str, object],
    ) -> Event:
        """Return the newest proven event of the stream, by that role, that states these facts.

        Raises:
            NotInLedger: there is none; a row says what nobody signed.
            ProofFails: the stored proof does not hold.
        """
        for found in _newest_first(session, stream):
            if found.event.type != event_type or not _states(found.event, facts):
                continue
            # What was read is a row; only what is proven, read again, counts.
            event = self.proven_event(session, found.entry_sha256, event_type, role)
            if event.stream == stream and _states(event, facts):
                return event
        raise NotInLedger(
            f"The ledger bears out no {event_type} in {stream} that says what a row says.",
            "Nothing was sealed; the operator has to compare database and ledger.",
        )


def _states(event: Event, facts: Mapping[str, object]) -> bool:
    return all(event.data.get(name) == value for name, value in facts.items())


def _newest_first(session: Session, stream: Stream) -> Iterator[RecordedEvent]:
    page = read_newest(session, stream)
    while page:
        yield from page
        oldest = page[-1].event.sequence
        first = max(0, oldest - PAGE_ENTRIES)
        page = read_stream(session, stream, from_sequence=first, limit=oldest - first)[::-1]


def grounds_of(
    database: Database,
    disk: OwnDisk,
    pinned: Pinned,
    keys: KeyManager,
    clock: Clock,
    stamp: Stamp,
    anchors: Anchors = NO_ANCHORS,
    continuity: ContinuityFolder | None = None,
) -> Grounds:
    """Return the keyholder's possessions, its own role added to those it believes."""
    roles = {**pinned.roles, KEYHOLDER: disk.role_key.public}
    trusted = TrustedLogKeys(disk.log_key.public, disk.leaf_key.public, roles)
    heads = StreamHeads(disk.heads)
    sequencer = Sequencer(
        disk.leaf_key,
        disk.log_key,
        clock,
        last_checkpoint=disk.last_checkpoint,
        roles=roles,
        heads=heads,
    )
    scribe = Scribe(KEYHOLDER, disk.role_key, clock)
    return Grounds(
        database=database,
        keys=keys,
        role_key=disk.role_key,
        scribe=scribe,
        sequencer=sequencer,
        trusted=trusted,
        workers=pinned.workers,
        clock=clock,
        heads=heads,
        stamp=stamp,
        outside=Outside(anchors, trusted, disk.last_witnessed),
        continuity=continuity,
    )
