"""One verification as a state machine that is data: which act leads where, and what is written.

Guarantees: every act is one row of :data:`TRANSITIONS`; every row names its ledger event; every
state names what each reader is shown. Whoever moves an examination writes the event in the same
transaction. Pure: no session, no clock of its own.

An act that was repeated after a crash is told apart from one out of turn by the state: the steps
of a job are at-least-once, so the doer asks :func:`is_done` before he acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from escrow.verification.errors import ActOutOfTurn

# A first try and four more: an engine that restarts is back after the second, an hour of outage
# is bridged by the last. What fails five times is no passing trouble, and a person has to look.
ATTEMPTS_MAX = 5

# Seconds of rest before the second, third, … attempt; the slot is free for others meanwhile.
RESTS_SECONDS = (10, 60, 600, 3_600)

# What the job waits for (lasting headers, the keyholder) is back within seconds, or when somebody
# has started it again; meanwhile the slot is free.
CONTINUATION_REST_SECONDS = 60


class State(StrEnum):
    """Where an examination stands; stored, never renamed."""

    QUEUED = "queued"
    OPENING = "opening"
    INVENTORY = "inventory"
    BUILDING = "building"
    RETRYING = "retrying"
    REPORTING = "reporting"
    DONE = "done"


class Act(StrEnum):
    """What can be done with an examination."""

    BEGIN = "begin"
    RESTART = "restart"
    TAKE_INVENTORY = "take-inventory"
    BEGIN_BUILD = "begin-build"
    CONCLUDE = "conclude"
    CONCLUDE_UNBUILT = "conclude-unbuilt"
    PASS_OVER = "pass-over"  # noqa: S105  (an act, no password)
    INTERRUPT = "interrupt"
    GIVE_UP = "give-up"
    FINISH = "finish"


@dataclass(frozen=True)
class Transition:
    """One row: from which states, to which, and which event is written with it."""

    sources: frozenset[State]
    target: State
    event: str
    meaning: str


_AT_WORK = frozenset({State.OPENING, State.INVENTORY, State.BUILDING})

TRANSITIONS: Mapping[Act, Transition] = MappingProxyType(
    {
        Act.BEGIN: Transition(
            frozenset({State.QUEUED, State.RETRYING}),
            State.OPENING,
            "verification:examination:begun",
            "an attempt begins; the keyholder is asked for the file keys",
        ),
        Act.RESTART: Transition(
            _AT_WORK,
            State.OPENING,
            "verification:examination:restarted",
            "the worker died; another takes the deposit up from the sealed bytes",
        ),
        Act.TAKE_INVENTORY: Transition(
            frozenset({State.OPENING}),
            State.INVENTORY,
            "verification:inventory:begun",
            "the file keys are here; the parts are opened into the sandbox",
        ),
        Act.BEGIN_BUILD: Transition(
            frozenset({State.INVENTORY}),
            State.BUILDING,
            "verification:trial-build:begun",
            "the plan stands; the components are built without network",
        ),
        Act.CONCLUDE: Transition(
            frozenset({State.BUILDING}),
            State.REPORTING,
            "verification:trial-build:finished",
            "the build ended; the reports are signed, the documents sealed",
        ),
        Act.CONCLUDE_UNBUILT: Transition(
            frozenset({State.INVENTORY}),
            State.REPORTING,
            "verification:trial-build:left-out",
            "there is nothing that can be built here; the reports are signed",
        ),
        Act.PASS_OVER: Transition(
            frozenset({State.QUEUED, State.RETRYING, State.OPENING}),
            State.REPORTING,
            "verification:examination:passed-over",
            "a newer deposit overtook this one, or its lane is closed",
        ),
        Act.INTERRUPT: Transition(
            _AT_WORK,
            State.RETRYING,
            "verification:examination:interrupted",
            "our error; the next attempt comes after a rest",
        ),
        Act.GIVE_UP: Transition(
            _AT_WORK,
            State.REPORTING,
            "verification:examination:given-up",
            "our error, too often, or one that no retry mends; the verdict is ERROR",
        ),
        Act.FINISH: Transition(
            frozenset({State.REPORTING}),
            State.DONE,
            "verification:examination:finished",
            "the reports are in the ledger and the lane is closed",
        ),
    }
)

# Nobody is at it: it can be passed over.
AT_REST = frozenset({State.QUEUED, State.RETRYING})

REPORT_SIGNED = "verification:report:signed"
# A second worker's own report on a deposit that a first one found buildable.
CONFIRMATION_SIGNED = "verification:confirmation:signed"
DOCUMENTS_SEALED = "verification:documents:sealed"

# What each reader is shown of a state. The vendor follows every stage of his own build; others
# learn that it is under way, not how far it came, since a stage tells of what the product is.
SHOWN_TO_VENDOR: Mapping[State, str] = MappingProxyType(
    {
        State.QUEUED: "queued",
        State.OPENING: "opening the sealed parts",
        State.INVENTORY: "taking the inventory",
        State.BUILDING: "building",
        State.RETRYING: "our error, tried again soon",
        State.REPORTING: "signing the report",
        State.DONE: "done",
    }
)
SHOWN_TO_OTHERS: Mapping[State, str] = MappingProxyType(
    {
        State.QUEUED: "queued",
        State.OPENING: "being verified",
        State.INVENTORY: "being verified",
        State.BUILDING: "being verified",
        State.RETRYING: "being verified",
        State.REPORTING: "being verified",
        State.DONE: "done",
    }
)


def next_state(act: Act, state: State) -> State:
    """Return the state that an act leads to.

    Raises:
        ActOutOfTurn: the table has no such step from here.
    """
    transition = TRANSITIONS[act]
    if state not in transition.sources:
        raise ActOutOfTurn(act, state)
    return transition.target


def act_of_beginning(state: State) -> Act:
    """Return the act by which work is taken up: a crash left a state behind that BEGIN did not."""
    return Act.RESTART if state in _AT_WORK else Act.BEGIN


def is_concluded(state: State) -> bool:
    """Return whether the reports of the examination are signed: nothing is opened again."""
    return state in (State.REPORTING, State.DONE)


def rest_seconds(attempt: int) -> int | None:
    """Return how long to rest after a failed attempt, None when it was the last.

    Args:
        attempt: number of the attempt that failed, from 1. An attempt that a crash ended counts.
    """
    if attempt >= ATTEMPTS_MAX:
        return None
    return RESTS_SECONDS[min(attempt, len(RESTS_SECONDS)) - 1]


@dataclass(frozen=True)
class Waiting:
    """A sealed deposit that is not examined yet.

    Args:
        number: of the deposit in its product.
        release_line: what must be equal for one to overtake the other; None: never overtaken.
        sealed_at: when it was acknowledged.
    """

    number: int
    release_line: str | None
    sealed_at: datetime


def is_passed_over(
    one: Waiting,
    queue: Iterable[Waiting],
    line_unexamined_since: datetime,
    longest: timedelta,
    now: datetime,
) -> bool:
    """Return whether a newer deposit of the same release line takes this one's place.

    A line is never left without an examination for longer than ``longest``: however fast newer
    deposits come, the one whose turn it then is, is examined.

    Args:
        queue: the other deposits of the product that wait.
        line_unexamined_since: when the oldest deposit of the line that was not examined since
            the line's last examination was sealed; a passed-over one counts.
        longest: the term ``verification.max_age_hours``; a day unless it says less.
    """
    if one.release_line is None or now - line_unexamined_since >= longest:
        return False
    return any(
        other.release_line == one.release_line and other.number > one.number for other in queue
    )
