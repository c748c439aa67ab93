"""Move an examination on: the rule from the table, the row, and the ledger event, together.

Guarantees: nothing moves without its event, and nothing moves that another attempt has taken over
meanwhile: every move names the attempt that makes it. Steps are at-least-once; whoever comes
second finds the attempt's number changed and stops without a trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from escrow.custody import records as custody
from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ExaminationId, ProductId, new_id
from escrow.ledger.appending import Entry, Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.verification import records
from escrow.verification.confirming import is_worth_confirming
from escrow.verification.errors import ActOutOfTurn, TakenOver
from escrow.verification.examinations import (
    AT_REST,
    ATTEMPTS_MAX,
    TRANSITIONS,
    Act,
    State,
    Waiting,
    act_of_beginning,
    is_passed_over,
    next_state,
)
from escrow.verification.gathering import Case
from escrow.verification.ladder import Reason
from escrow.verification.parts import DepositFacts
from escrow.verification.records import ExaminationRow

# Written by a process, for no person: the actor of every event of a worker.
ACTOR = "worker"


def queue_examination(session: Session, deposit: DepositFacts) -> ExaminationRow:
    """Return the examination of a deposit, made the first time; it waits since the sealing.

    Whenever the agents opened the deposit again, another round follows the one that is done.
    """
    rounds = records.rounds_of(session, DepositId(deposit.id))
    firsts = [one for one in rounds if not one.confirms]
    reopened = custody.reopenings_of(session, DepositId(deposit.id))
    newest = firsts[-1] if firsts else None
    is_next_due = newest and newest.state == State.DONE and len(firsts) <= len(reopened)
    if newest is not None and not is_next_due:
        return newest
    queued_at = reopened[len(firsts) - 1].opened_at if newest else deposit.sealed_at
    return _queued(session, deposit, len(rounds) + 1, queued_at)


def queue_confirmation(
    session: Session, deposit: DepositFacts, now: datetime
) -> ExaminationRow | None:
    """Return the second look at a deposit's newest examination, made the first time.

    Returns:
        None where nothing is to be confirmed: the first one is not done, or did not pass.
    """
    rounds = records.rounds_of(session, DepositId(deposit.id))
    first = next((one for one in reversed(rounds) if not one.confirms), None)
    if first is None or first.state != State.DONE or not is_worth_confirming(first.level):
        return None
    known = next((one for one in rounds if one.confirms == first.id), None)
    return known or _queued(session, deposit, len(rounds) + 1, now, confirms=first.id)


def _queued(
    session: Session, deposit: DepositFacts, number: int, queued_at: datetime, confirms: str = ""
) -> ExaminationRow:
    row = ExaminationRow(
        id=ExaminationId(new_id("exa")),
        deposit_id=deposit.id,
        product_id=deposit.product_id,
        round=number,
        confirms=confirms,
        deposit_number=deposit.number,
        release_line=deposit.release_line,
        state=State.QUEUED,
        queued_at=queued_at,
    )
    records.add(session, row)
    return row


def is_overtaken(session: Session, row: ExaminationRow, case: Case, now: datetime) -> bool:
    """Return whether a newer deposit of its line takes this one's place in the queue."""
    line = case.deposit.release_line
    # What the agents opened again is examined, whatever came since: they asked for this one.
    if line is None or row.round > 1 or State(row.state) not in AT_REST:
        return False
    passed_over = records.passed_over_in_line(session, ProductId(row.product_id), line)
    since = min([case.deposit.sealed_at, *(one.queued_at for one in passed_over)])
    me = Waiting(case.deposit.number, line, case.deposit.sealed_at)
    return is_passed_over(me, case.newer, since, case.longest_wait, now)


def has_attempts_left(row: ExaminationRow) -> bool:
    """Return whether another attempt may begin; one that a crash ended counts."""
    return row.attempt < ATTEMPTS_MAX


def begin_attempt(session: Session, scribe: Scribe, row: ExaminationRow, now: datetime) -> int:
    """Begin another attempt, whatever became of the last; return its number."""
    act = act_of_beginning(State(row.state))
    state = next_state(act, State(row.state))
    row.attempt += 1
    row.begun_at = row.begun_at or now
    row.next_attempt_at = None
    _write(session, scribe, row, act, state, {})
    return row.attempt


def move(
    session: Session,
    scribe: Scribe,
    examination_id: str,
    attempt: int,
    act: Act,
    data: Mapping[str, object] | None = None,
) -> ExaminationRow:
    """Make one act of an attempt, with its event.

    Args:
        attempt: the number that :func:`begin_attempt` gave.
        data: more fields of the event: ids, words and numbers.

    Raises:
        TakenOver: another attempt has begun, or has concluded the examination.
    """
    row = records.examination_by_id(session, ExaminationId(examination_id))
    if row is None or row.attempt != attempt:
        raise TakenOver
    try:
        state = next_state(act, State(row.state))
    except ActOutOfTurn as problem:
        raise TakenOver from problem
    _write(session, scribe, row, act, state, data or {})
    return row


def interrupt(
    session: Session,
    scribe: Scribe,
    examination_id: str,
    attempt: int,
    reason: Reason,
    now: datetime,
    rest_seconds: int,
) -> None:
    """Let an attempt end by an error of ours, with another to come.

    Raises:
        TakenOver: another attempt has begun already.
    """
    data = {"reason": reason, "rest_seconds": rest_seconds}
    row = move(session, scribe, examination_id, attempt, Act.INTERRUPT, data)
    row.next_attempt_at = now + timedelta(seconds=rest_seconds)
    records.add(session, row)


def _write(
    session: Session,
    scribe: Scribe,
    row: ExaminationRow,
    act: Act,
    state: State,
    data: Mapping[str, object],
) -> Entry:
    row.state = state
    records.add(session, row)
    event = NewEvent(
        Stream("product", row.product_id),
        TRANSITIONS[act].event,
        ACTOR,
        {
            "examination_id": row.id,
            "deposit_id": row.deposit_id,
            "attempt": row.attempt,
            **data,
        },
    )
    return scribe.append(session, event)
