"""Every state with its event, and every event with its state: what the rows say, asked of the log.

Each room gives its comparers: which events make its states, and which rows hold them. The entries
are believed here: :func:`~escrow.ledger.fsck.check_ledger` has proven them in the same transaction.
Guarantees: a row that no event made, an event whose row is gone and a row that says otherwise are
three errors, each naming the row. Not compared: columns that no event states (names, times of last
use), rows that events do not make (drafts, uploads, the outbox).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from escrow.ground.database import Session
from escrow.ledger.entries import parse_entry
from escrow.ledger.errors import (
    EventWithoutState,
    LedgerBroken,
    StateContradictsEvent,
    StateWithoutEvent,
)
from escrow.ledger.lookup import records
from escrow.ledger.reading import RecordedEvent

# The parts of a row's primary key, or whatever an event names the thing by.
Key = tuple[str | int, ...]
Facts = dict[str, object]
States = dict[Key, Facts]

# More differences than a person reads; the first ones tell where to look.
MAX_DIFFERENCES = 1_000


@dataclass(frozen=True)
class Comparer:
    """How one kind of state follows from events.

    Args:
        what: name of the table, for people.
        types: of the events that make such states.
        fold: takes one event into the states so far; events come stream by stream, in order.
        stored: gives key and facts of every row that an event must have made.
        settle: takes out what other events have ended, once all are folded: those may stand in
            another stream, and so come before what they end.
    """

    what: str
    types: frozenset[str]
    fold: Callable[[States, RecordedEvent], None]
    stored: Callable[[Session], Iterable[tuple[Key, Facts]]]
    settle: Callable[[States], None] = lambda _: None


def compare_states(
    session: Session,
    comparers: Sequence[Comparer],
    tell: Callable[[str], None] = lambda _: None,
) -> list[LedgerBroken]:
    """Return what does not fit, at most :data:`MAX_DIFFERENCES`; nothing where all fits.

    Args:
        session: the one in which the ledger was checked.
        comparers: of all rooms.
        tell: is told what is compared next; a large ledger takes minutes.
    """
    found: list[LedgerBroken] = []
    for one in comparers:
        tell(one.what)
        for difference in _differences(one, _folded(session, one), one.stored(session)):
            found.append(difference)
            if len(found) >= MAX_DIFFERENCES:
                return found
    return found


def _folded(session: Session, comparer: Comparer) -> States:
    states: States = {}
    for row in records.entries_of_types(session, sorted(comparer.types)):
        event = parse_entry(row.entry).event
        comparer.fold(states, RecordedEvent(row.number, row.entry_sha256, event))
    comparer.settle(states)
    return states


def _differences(
    comparer: Comparer, states: States, stored: Iterable[tuple[Key, Facts]]
) -> Iterator[LedgerBroken]:
    waiting = dict(states)
    for key, facts in stored:
        name = _name(comparer, key)
        expected = waiting.pop(key, None)
        if expected is None:
            yield StateWithoutEvent(f"{name} is there, and no event of the ledger made it.")
        elif wrong := _wrong(expected, facts):
            yield StateContradictsEvent(f"{name}: {wrong}.")
    for key in waiting:
        yield EventWithoutState(
            f"{_name(comparer, key)} stands in the ledger, and its row is gone."
        )


def _wrong(expected: Mapping[str, object], facts: Mapping[str, object]) -> str:
    """Return which columns contradict the events, with both values; empty where none does."""
    return ", ".join(
        f"{name} is {facts.get(name)!r}, by the ledger {value!r}"
        for name, value in expected.items()
        if facts.get(name) != value
    )


def _name(comparer: Comparer, key: Key) -> str:
    return f"{comparer.what} {'/'.join(str(one) for one in key)}"
