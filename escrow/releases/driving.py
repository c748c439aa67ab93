"""What moves a request on without a person: clocks, the keyholder's rounds, the release itself.

:func:`push_on` may be called at any time, by anybody, any number of times: it looks at the events
and does what is due. The portal calls it after each act; the upkeep calls it for every open
request, so that a crash after an act only delays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agreements.requests import EVENT, State, Step
from escrow.engine.queue import JobQueue
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import EscrowError, Refused
from escrow.ground.identifiers import RequestId
from escrow.ledger.appending import Scribe
from escrow.ledger.errors import NotWitnessed
from escrow.ledger.events import NewEvent
from escrow.releases import records
from escrow.releases.acting import is_due, move
from escrow.releases.confirming import SentShare, keep_confirmation, take_confirmation
from escrow.releases.errors import ClocksTooFew, NotApproved, TooFewConfirmations
from escrow.releases.notifying import notify
from escrow.releases.ports import ReleaseKeyholder
from escrow.releases.reading import OpenedRequest, open_request
from escrow.releases.rereading import enqueue_rereading

# What the keyholder does by itself and people are told of, by where it leads.
_STEP_OF_KEYHOLDER = {
    State.CONFIRMING: Step.OPEN_CONFIRMATION,
    State.RELEASED: Step.EXECUTE,
}

_NOT_YET = frozenset(
    one.code for one in (TooFewConfirmations, NotApproved, ClocksTooFew, NotWitnessed)
)

# More steps in a row than the longest way through the table is a fault, and must end.
_MOST_STEPS = 8


@dataclass(frozen=True)
class Driver:
    """What is needed to move requests on."""

    database: Database
    keyholder: ReleaseKeyholder
    scribe: Scribe
    clock: Clock
    jobs: JobQueue

    def take(self, request_id: RequestId, envelope: Envelope, shares: Sequence[SentShare]) -> None:
        """Take an agent's confirmation, once the keyholder finds its shares right.

        Raises:
            as :func:`~escrow.releases.confirming.keep_confirmation`;
            ShareOfAnother, BadShareFile, NoIdentityMatches: the keyholder finds a share wrong.
        """
        with self.database.writing() as session:
            kept = keep_confirmation(session, request_id, envelope, shares, self.clock)
        for digest in kept:
            self.keyholder.check_release_share(request_id, digest)
        with self.database.writing() as session:
            take_confirmation(session, request_id, envelope, self.scribe, self.clock)

    def push_on(self, request_id: RequestId) -> State:
        """Do everything that is due for a request, and return where it stands then.

        Raises:
            RequestUnknown, HistoryBroken: see :func:`~escrow.releases.reading.open_request`.
            KeyholderOut: the keyholder is away; the upkeep comes again.
        """
        # Whatever was written last has to stand in the tree before anything rests on it.
        self.keyholder.sequence()
        state = self._state(request_id)
        for _ in range(_MOST_STEPS):
            self._step(request_id)
            before, state = state, self._state(request_id)
            if state is before:
                break
        return state

    def push_all_on(self) -> list[EscrowError]:
        """Move every open request on; return what went wrong, one request never stops another."""
        with self.database.reading() as session:
            waiting = [RequestId(row.id) for row in records.open_requests(session)]
        problems = []
        for one in waiting:
            try:
                self.push_on(one)
            except EscrowError as problem:
                problems.append(problem)
        return problems

    def _step(self, request_id: RequestId) -> None:
        with self.database.writing() as session:
            opened = open_request(session, request_id)
            self._repeat_state(session, opened)
            enqueue_rereading(session, self.jobs, request_id, opened.history)
            due = is_due(opened, self.clock.now())
            if due is not None:
                self._by_clock(session, opened, due)
                return
        if opened.history.state is State.APPROVED:
            self._unless_not_yet(self.keyholder.open_confirmation, request_id)
        elif (opened.history.state is State.CONFIRMING and _has_enough(opened)) or (
            opened.history.state is State.EXECUTING
        ):
            self._unless_not_yet(self.keyholder.execute_release, request_id)

    def _unless_not_yet(self, ask: Callable[[RequestId], None], request_id: RequestId) -> None:
        try:
            ask(request_id)
        except Refused as refusal:
            # The answer of the keyholder's own rule; the code is all that came over the line.
            # It looks to more clocks than we do: what is not due for it yet is asked again later.
            if refusal.code not in _NOT_YET:
                raise

    def _by_clock(self, session: Session, opened: OpenedRequest, step: Step) -> None:
        now = self.clock.now()
        move(session, opened, step, now)
        data: dict[str, object] = {"request_id": opened.id}
        event = NewEvent(opened.stream, EVENT[step], "clock", data)
        place = self.scribe.append(session, event).stream_sequence
        services = opened.history.services
        days = services[0].logged if services else None
        notify(session, self.scribe, opened.row, opened.terms, step, place, now, days)

    def _repeat_state(self, session: Session, opened: OpenedRequest) -> None:
        """Let the row say what the keyholder's events have changed, and tell of it once."""
        row, history, now = opened.row, opened.history, self.clock.now()
        if row.state == history.state:
            return
        records.write_state(session, row, history.state, now)
        step = _STEP_OF_KEYHOLDER.get(history.state)
        marks = history.executed if step is Step.EXECUTE else history.openings
        if step is not None and marks:
            notify(session, self.scribe, row, opened.terms, step, marks[-1].place, now)

    def _state(self, request_id: RequestId) -> State:
        with self.database.reading() as session:
            return open_request(session, request_id).history.state


def _has_enough(opened: OpenedRequest) -> bool:
    opening = opened.history.openings[-1].place
    agents = {
        one.given.signatory.signing_key
        for one in opened.history.confirmations
        if one.given.place > opening
    }
    return len(agents) >= opened.terms.sealing.k
