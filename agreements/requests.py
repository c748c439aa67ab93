"""A release request as a state machine: states, steps, and what belongs to each, as data.

The table is the whole of it: :func:`next_state` looks up, and the maps beside it are total (a test
holds that). It knows no clock and no keys; who asks has found out whether a step was really done.
Later states (held, expert track, return due) are further rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

Doer = Literal["beneficiary", "vendor", "vendor-or-agent", "agent", "clock", "keyholder"]
Reader = Literal["vendor", "beneficiary", "agents"]


class State(StrEnum):
    """Where a request stands; stored, never renamed."""

    FILED = "filed"
    CURING = "curing"
    OBJECTION_WINDOW = "objection-window"
    DISPUTED = "disputed"
    APPROVED = "approved"
    CONFIRMING = "confirming"
    EXECUTING = "executing"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    VOID = "void"


class Step(StrEnum):
    """What can happen to a request; stored, never renamed."""

    FILE = "file"
    SERVE = "serve"
    SERVE_CURABLE = "serve-curable"
    END_CURE = "end-cure"
    CONSENT = "consent"
    CONSENT_IN_PART = "consent-in-part"
    OBJECT = "object"
    OBJECT_LATE = "object-late"
    FALL_SILENT = "fall-silent"
    WITHDRAW = "withdraw"
    OPEN_CONFIRMATION = "open-confirmation"
    CONFIRM = "confirm"
    INTEND = "intend"
    EXECUTE = "execute"
    SUPERSEDE = "supersede"


# EXECUTING is in none of these: once the intent is in the ledger, nothing that comes after it stops
# the release (threat model, claim 6). A late objection is logged and changes nothing.
_WAITING = (State.FILED, State.CURING, State.OBJECTION_WINDOW)
_CONSENTABLE = (*_WAITING, State.DISPUTED)
_AGREED = (State.APPROVED, State.CONFIRMING)
_OPEN = (*_CONSENTABLE, *_AGREED)
_LATE = (*_AGREED, State.EXECUTING, State.RELEASED)


def _from(states: tuple[State, ...], step: Step, to: State) -> dict[tuple[State, Step], State]:
    return {(state, step): to for state in states}


TRANSITIONS: Mapping[tuple[State, Step], State] = MappingProxyType(
    {
        (State.FILED, Step.SERVE): State.OBJECTION_WINDOW,
        (State.FILED, Step.SERVE_CURABLE): State.CURING,
        (State.CURING, Step.END_CURE): State.OBJECTION_WINDOW,
        # From the window alone: silence approves nothing before service is proven (threat model,
        # claim 5), nor over an objection, so FILED, CURING and DISPUTED have no such row.
        (State.OBJECTION_WINDOW, Step.FALL_SILENT): State.APPROVED,
        **_from(_CONSENTABLE, Step.CONSENT, State.APPROVED),
        # The first of two who bind the vendor jointly: alone it changes nothing.
        **{(state, Step.CONSENT_IN_PART): state for state in _CONSENTABLE},
        # From an approval only while the consent behind it can be taken back.
        **_from((*_WAITING, *_AGREED), Step.OBJECT, State.DISPUTED),
        **{(state, Step.OBJECT_LATE): state for state in _LATE},
        **_from(_OPEN, Step.WITHDRAW, State.WITHDRAWN),
        **_from(_OPEN, Step.SUPERSEDE, State.VOID),
        (State.APPROVED, Step.OPEN_CONFIRMATION): State.CONFIRMING,
        # No row counts to k: the table knows no agents. Who gave how many confirmations, in which
        # round, is counted from the ledger before each intent (escrow/releases/decision.py).
        (State.CONFIRMING, Step.CONFIRM): State.CONFIRMING,
        (State.CONFIRMING, Step.INTEND): State.EXECUTING,
        (State.EXECUTING, Step.EXECUTE): State.RELEASED,
    }
)

FIRST = State.FILED
FINAL: frozenset[State] = frozenset({State.RELEASED, State.WITHDRAWN, State.VOID})

WHO: Mapping[Step, Doer] = MappingProxyType(
    {
        Step.FILE: "beneficiary",
        Step.SERVE: "vendor-or-agent",
        Step.SERVE_CURABLE: "vendor-or-agent",
        Step.END_CURE: "clock",
        Step.CONSENT: "vendor",
        Step.CONSENT_IN_PART: "vendor",
        Step.OBJECT: "vendor",
        Step.OBJECT_LATE: "vendor",
        Step.FALL_SILENT: "clock",
        Step.WITHDRAW: "beneficiary",
        Step.OPEN_CONFIRMATION: "keyholder",
        Step.CONFIRM: "agent",
        Step.INTEND: "keyholder",
        Step.EXECUTE: "keyholder",
        Step.SUPERSEDE: "clock",
    }
)

EVENT: Mapping[Step, str] = MappingProxyType(
    {
        Step.FILE: "releases:request:filed",
        Step.SERVE: "releases:request:served",
        Step.SERVE_CURABLE: "releases:request:served",
        Step.END_CURE: "releases:request:cure-ended",
        Step.CONSENT: "releases:request:consented",
        Step.CONSENT_IN_PART: "releases:request:consented-in-part",
        Step.OBJECT: "releases:request:objected",
        Step.OBJECT_LATE: "releases:request:objected-late",
        Step.FALL_SILENT: "releases:request:approved",
        Step.WITHDRAW: "releases:request:withdrawn",
        Step.OPEN_CONFIRMATION: "releases:confirmation:opened",
        Step.CONFIRM: "releases:confirmation:given",
        Step.INTEND: "releases:release:intended",
        Step.EXECUTE: "releases:release:executed",
        Step.SUPERSEDE: "releases:request:superseded",
    }
)

NOTIFIED: Mapping[Step, tuple[Reader, ...]] = MappingProxyType(
    {
        Step.FILE: ("vendor", "beneficiary", "agents"),
        Step.SERVE: ("vendor", "beneficiary", "agents"),
        Step.SERVE_CURABLE: ("vendor", "beneficiary", "agents"),
        Step.END_CURE: ("vendor", "beneficiary"),
        Step.CONSENT: ("vendor", "beneficiary", "agents"),
        Step.CONSENT_IN_PART: (),
        Step.OBJECT: ("vendor", "beneficiary", "agents"),
        Step.OBJECT_LATE: ("vendor", "beneficiary", "agents"),
        Step.FALL_SILENT: ("vendor", "beneficiary", "agents"),
        Step.WITHDRAW: ("vendor", "beneficiary", "agents"),
        Step.OPEN_CONFIRMATION: ("agents",),
        Step.CONFIRM: (),
        Step.INTEND: (),
        Step.EXECUTE: ("vendor", "beneficiary", "agents"),
        Step.SUPERSEDE: ("vendor", "beneficiary", "agents"),
    }
)

# What a reader of a view is told to expect, and from whom.
NEXT: Mapping[State, str] = MappingProxyType(
    {
        State.FILED: "The vendor acknowledges service, or an agent states it with its proof.",
        State.CURING: "The vendor cures, consents or objects until the cure period ends.",
        State.OBJECTION_WINDOW: "The vendor consents or objects; silence until the end approves.",
        State.DISPUTED: "The vendor consents, the beneficiary withdraws, or the parties' resolver "
        "decides outside of this service.",
        State.APPROVED: "The keyholder opens the confirmation.",
        State.CONFIRMING: "The agents confirm, each in his own client.",
        State.EXECUTING: "The keyholder hands over.",
        State.RELEASED: "The beneficiary downloads, opens and rebuilds.",
        State.WITHDRAWN: "Nothing; a new request may be filed.",
        State.VOID: "Nothing; the agreement changed, so a new request has to be filed.",
    }
)


def next_state(state: State, step: Step) -> State | None:
    """Return the state after a step, None where the step is not possible."""
    return TRANSITIONS.get((state, step))


def diagram() -> str:
    """Return the table as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {_name(FIRST)}: {Step.FILE}"]
    lines += [
        f"    {_name(state)} --> {_name(to)}: {step}" for (state, step), to in TRANSITIONS.items()
    ]
    lines += [f"    {_name(state)} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines) + "\n"


def _name(state: State) -> str:
    return state.replace("-", "_")
