"""What the ledger says of sessions of the agents, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from escrow.custody.answering import ANSWERED
from escrow.custody.records import AnswerRow, LivenessRow, ReopeningRow, SessionRow
from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent

# The keyholder alone writes these; no room imports it.
_OPENED = "custody:session:opened"
_ENDED = "custody:session:ended"
_LIVE = "custody:agents:live"
_REOPENED = "custody:deposit:reopened"

_OF_SESSION = ("purpose", "nonce", "items_root")


def _session(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    # One stream has both, so a session is opened before it ends.
    key = (str(data["session_id"]),)
    if recorded.event.type == _ENDED:
        states[key]["ended"] = True
        return
    facts: Facts = {name: data[name] for name in _OF_SESSION}
    facts |= {"recipient": data["one_time_recipient"], "ended": False}
    states[key] = facts | {"entry_sha256": recorded.entry_sha256}


def _sessions(session: Session) -> Iterator[tuple[Key, Facts]]:
    names = (*_OF_SESSION, "recipient", "entry_sha256")
    for row in every_row(session, SessionRow):
        # What was only asked for, or given up before it was opened, has no event, and no challenge
        # that anybody could answer.
        if (row.entry_sha256, row.nonce, row.recipient) != (None,) * 3:
            facts: Facts = {name: getattr(row, name) for name in names}
            yield (row.id,), facts | {"ended": row.ended_at is not None}


def _answer(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["act_sha256"]),)] = {"session_id": data["session_id"]}


def _answers(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, AnswerRow):
        yield (row.act_sha256,), {"session_id": row.session_id}


def _live(states: States, recorded: RecordedEvent) -> None:
    event, data = recorded.event, recorded.event.data
    indices = data["live"]
    for index in indices if isinstance(indices, list) else ():
        key = (event.stream.id, int(str(data["epoch"])), int(str(index)))
        # The newest proof stands; the events of one agreement come in their order.
        states[key] = {"session_id": data["session_id"], "live_at": event.at}


def _liveness(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, LivenessRow):
        facts: Facts = {"session_id": row.session_id, "live_at": row.live_at}
        yield (row.agreement_id, row.epoch, row.index), facts


def _reopening(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["deposit_id"]), str(data["session_id"]))] = {
        "agreement_id": data["agreement_id"],
        "product_id": recorded.event.stream.id,
        "entry_sha256": recorded.entry_sha256,
    }


def _reopenings(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, ReopeningRow):
        facts: Facts = {"agreement_id": row.agreement_id, "product_id": row.product_id}
        yield (row.deposit_id, row.session_id), facts | {"entry_sha256": row.entry_sha256}


COMPARERS = (
    Comparer("custody_session", frozenset({_OPENED, _ENDED}), _session, _sessions),
    Comparer("custody_answer", frozenset({ANSWERED}), _answer, _answers),
    Comparer("custody_liveness", frozenset({_LIVE}), _live, _liveness),
    Comparer("custody_reopening", frozenset({_REOPENED}), _reopening, _reopenings),
)
