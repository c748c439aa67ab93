"""What moves a session on: asked, opened, answered, carried out, and whoever is told of it.

:meth:`CustodyDriver.push_all_on` may be called at any time and any number of times: it does what
is due, so that a crash after any act only delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from escrow.custody import records
from escrow.custody.answering import take_answer
from escrow.custody.asking import ask_agents
from escrow.custody.notifying import (
    tell_of_keys,
    tell_of_not_opening,
    tell_of_session,
    tell_of_standing,
)
from escrow.custody.reading import parts_not_opening, view_of_custody
from escrow.custody.scheduling import SCHEDULE, panels_due
from escrow.custody.sessions import WITH_SHARES, Purpose
from escrow.custody.standing import Standing
from escrow.engine.queue import JobQueue
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import EscrowError, Refused
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.ledger.errors import NotWitnessed

# Of the room above that verifies; enqueued by name.
VERIFY_JOB = "verify"


class CustodyKeyholder(Protocol):
    """The keyholder's verbs for sessions; every call may be repeated and has its effect once."""

    def open_session(self, session_id: str) -> None:
        """Log what is asked, under a fresh nonce and one-time key.

        Raises:
            CanaryWaits: a newer key was dealt and nobody has shown that it opens.
        """
        ...

    def settle_session(self, session_id: str) -> None:
        """Note the proofs that hold; carry out what everybody gave his share for."""
        ...

    def carry_out_session(self, session_id: str) -> None:
        """Carry out what k agents gave their shares for.

        Raises:
            TooFewShares: fewer did.
        """
        ...


@dataclass(frozen=True)
class CustodyDriver:
    """What is needed to move sessions on; made once by whoever assembles the portal."""

    database: Database
    keyholder: CustodyKeyholder
    scribe: Scribe
    clock: Clock
    jobs: JobQueue

    def begin(self, purpose: Purpose, agreements: Sequence[AgreementId], asked_by: str) -> str:
        """Ask the agents, and return the session's id once the keyholder has opened it.

        Raises:
            NothingToAsk: see :func:`~escrow.custody.asking.ask_agents`.
            CanaryWaits: a newer key waits for its canary.
        """
        with self.database.writing() as session:
            session_id = ask_agents(session, purpose, agreements, asked_by, self.clock.now())
        self._open(session_id)
        return session_id

    def answer(self, session_id: str, envelope: Envelope, document: bytes) -> None:
        """Take an agent's answer, and do what is due then.

        Raises:
            as :func:`~escrow.custody.answering.take_answer`.
        """
        with self.database.writing() as session:
            take_answer(session, session_id, envelope, document, self.scribe, self.clock)
        self.push_on(session_id)

    def push_on(self, session_id: str) -> None:
        """Have the answers noted, and what is complete carried out; the rest is asked again."""
        try:
            self.keyholder.settle_session(session_id)
        except Refused as refusal:
            # The code is all that came over the line. It is intended, and waits for outsiders.
            if refusal.code != NotWitnessed.code:
                raise
        self._follow(session_id)

    def carry_out(self, session_id: str) -> None:
        """Have a session carried out with the shares that are there.

        Raises:
            TooFewShares: fewer than k agents gave theirs.
        """
        try:
            self.keyholder.carry_out_session(session_id)
        finally:
            # What was carried out before another agreement failed is followed up all the same.
            self._follow(session_id)

    def push_all_on(self) -> list[EscrowError]:
        """Move every session on and tell of what is due; one session never stops another."""
        with self.database.reading() as session:
            waiting = [(row.id, row.entry_sha256) for row in records.open_sessions(session)]
            complete = {one for one, _ in waiting if _is_due(session, one)}
        problems = []
        for session_id, entry_sha256 in waiting:
            try:
                if entry_sha256 is None:
                    self._open(session_id)
                elif session_id in complete:
                    self.push_on(session_id)
                else:
                    self._tell(session_id)
            except EscrowError as problem:
                problems.append(problem)
        return problems

    def ask_what_is_due(self) -> None:
        """Write down the quarterly sessions whose time has come; :meth:`push_all_on` opens them.

        Looks at every agreement, as :meth:`tell_of_all` does. What was asked for is not due any
        more, so that any number of callers ask once.
        """
        with self.database.reading() as session:
            if not panels_due(session, self.clock.now()):
                return
        with self.database.writing() as session:
            # Looked at anew: another process may have asked meanwhile.
            now = self.clock.now()
            for panel in panels_due(session, now):
                ask_agents(session, Purpose.SESSION, panel, SCHEDULE, now)

    def tell_of_all(self) -> None:
        """Tell of every agreement whose session is due, or whose custody is no longer sound.

        Looks at every agreement, so whoever keeps the house calls it now and then, not always.
        """
        with self.database.reading() as session:
            dealt = records.agreements_dealt(session)
        self._tell_of_unsound(dealt)

    def _tell_of_unsound(self, agreements: Sequence[AgreementId]) -> None:
        # Almost all are sound: found out by reading, while others write.
        with self.database.reading() as session:
            now = self.clock.now()
            unsound = [one for one in agreements if _is_unsound(session, one, now)]
        for agreement_id in unsound:
            with self.database.writing() as session:
                tell_of_standing(session, self.scribe, agreement_id, self.clock.now())
                tell_of_not_opening(session, self.scribe, agreement_id, self.clock.now())

    def _open(self, session_id: str) -> None:
        self.keyholder.open_session(session_id)
        self._tell(session_id)

    def _tell(self, session_id: str) -> None:
        with self.database.writing() as session:
            tell_of_session(session, self.scribe, session_id, self.clock.now())

    def _follow(self, session_id: str) -> None:
        """Enqueue the re-verifications, and tell of new keys and of how custody stands."""
        with self.database.writing() as session:
            for one in records.reopenings_in(session, session_id):
                self.jobs.enqueue(
                    session,
                    VERIFY_JOB,
                    f"verify-{one.deposit_id}-{session_id}",
                    {"deposit_id": one.deposit_id},
                    partition=one.product_id,
                )
            now = self.clock.now()
            row = records.session_by_id(session, session_id)
            if row is not None and row.purpose in WITH_SHARES:
                tell_of_keys(session, self.scribe, session_id, now)
            items = records.items_of(session, session_id)
        self._tell_of_unsound([AgreementId(one.agreement_id) for one in items])


def _is_unsound(session: Session, agreement_id: AgreementId, now: datetime) -> bool:
    view = view_of_custody(session, agreement_id, now)
    if view is None:
        return False
    is_sound = view.standing is Standing.SOUND and not view.overdue
    return not is_sound or bool(parts_not_opening(session, agreement_id))


def _is_due(session: Session, session_id: str) -> bool:
    """Tell whether everybody answered, or what was intended waits for its witnesses."""
    most = max((one.n for one in records.items_of(session, session_id)), default=0)
    has_every_answer = 0 < most <= len(records.answers_of(session, session_id))
    return has_every_answer or records.is_under_way(session, session_id)
