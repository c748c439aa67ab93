"""Holds, withdrawals and destructions as state machines: states, steps and what belongs to each.

One table, as for release requests (``agreements/requests.py``); the maps beside it are total. It
knows no clock and no keys; whoever asks has found out whether a step was really done.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from agreements.terms import Role
from escrow.evidence.acts import ActName

Writer = Literal["portal", "keyholder"]


class Kind(StrEnum):
    """What an ending is; stored, never renamed."""

    HOLD = "hold"
    WITHDRAWAL = "withdrawal"
    DESTRUCTION = "destruction"


class State(StrEnum):
    """Where an ending stands; stored, never renamed."""

    PLACED = "placed"
    LIFTED = "lifted"
    # Signed by the first of two who sign jointly: alone it changes nothing.
    HALF_WITHDRAWN = "half-withdrawn"
    QUARANTINED = "quarantined"
    SHREDDING = "shredding"
    SHREDDED = "shredded"
    HALF_REQUESTED = "half-requested"
    REQUESTED = "requested"
    SERVED = "served"
    CONFIRMING = "confirming"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    OBJECTED = "objected"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What can happen to an ending; stored, never renamed."""

    PLACE = "place"
    LIFT_IN_PART = "lift-in-part"
    LIFT = "lift"
    WITHDRAW_IN_PART = "withdraw-in-part"
    WITHDRAW = "withdraw"
    TAKE_BACK = "take-back"
    INTEND_SHREDDING = "intend-shredding"
    SHRED = "shred"
    REQUEST_IN_PART = "request-in-part"
    REQUEST = "request"
    SERVE_IN_PART = "serve-in-part"
    SERVE = "serve"
    END_GRACE = "end-grace"
    OBJECT = "object"
    CANCEL = "cancel"
    CONFIRM = "confirm"
    INTEND = "intend"
    EXECUTE = "execute"


# DESTROYING is in none of these: once the intent is in the ledger it is carried out.
_STOPPABLE = (State.REQUESTED, State.SERVED, State.CONFIRMING)

OPENING: Mapping[Step, tuple[Kind, State]] = MappingProxyType(
    {
        Step.PLACE: (Kind.HOLD, State.PLACED),
        Step.WITHDRAW_IN_PART: (Kind.WITHDRAWAL, State.HALF_WITHDRAWN),
        Step.WITHDRAW: (Kind.WITHDRAWAL, State.QUARANTINED),
        Step.REQUEST_IN_PART: (Kind.DESTRUCTION, State.HALF_REQUESTED),
        Step.REQUEST: (Kind.DESTRUCTION, State.REQUESTED),
    }
)

# A party is bound by one who signs alone, or by two who sign jointly; the step of the first of two.
# A service is stated in part also where another beneficiary is not served yet.
IN_PART: Mapping[Step, Step] = MappingProxyType(
    {
        Step.LIFT: Step.LIFT_IN_PART,
        Step.WITHDRAW: Step.WITHDRAW_IN_PART,
        Step.REQUEST: Step.REQUEST_IN_PART,
        Step.SERVE: Step.SERVE_IN_PART,
    }
)

# What only ever keeps, any one person of a party does by himself, who else signs jointly too.
BY_ANY_ONE: frozenset[Step] = frozenset({Step.PLACE, Step.TAKE_BACK, Step.OBJECT, Step.CANCEL})

TRANSITIONS: Mapping[tuple[State, Step], State] = MappingProxyType(
    {
        (State.PLACED, Step.LIFT_IN_PART): State.PLACED,
        (State.PLACED, Step.LIFT): State.LIFTED,
        (State.HALF_WITHDRAWN, Step.WITHDRAW): State.QUARANTINED,
        (State.HALF_WITHDRAWN, Step.TAKE_BACK): State.CANCELLED,
        (State.QUARANTINED, Step.TAKE_BACK): State.CANCELLED,
        (State.QUARANTINED, Step.INTEND_SHREDDING): State.SHREDDING,
        (State.SHREDDING, Step.SHRED): State.SHREDDED,
        (State.HALF_REQUESTED, Step.REQUEST): State.REQUESTED,
        (State.HALF_REQUESTED, Step.CANCEL): State.CANCELLED,
        # Of several beneficiaries each is served; the period begins with the last.
        (State.REQUESTED, Step.SERVE_IN_PART): State.REQUESTED,
        (State.REQUESTED, Step.SERVE): State.SERVED,
        (State.SERVED, Step.END_GRACE): State.CONFIRMING,
        (State.CONFIRMING, Step.CONFIRM): State.CONFIRMING,
        **{(state, Step.OBJECT): State.OBJECTED for state in _STOPPABLE},
        **{(state, Step.CANCEL): State.CANCELLED for state in _STOPPABLE},
        (State.CONFIRMING, Step.INTEND): State.DESTROYING,
        (State.DESTROYING, Step.EXECUTE): State.DESTROYED,
    }
)

FINAL: frozenset[State] = frozenset(
    {State.LIFTED, State.SHREDDED, State.DESTROYED, State.OBJECTED, State.CANCELLED}
)

_ALL: frozenset[Role] = frozenset({"vendor", "beneficiary", "agent"})
_VENDOR: frozenset[Role] = frozenset({"vendor"})
_BENEFICIARY: frozenset[Role] = frozenset({"beneficiary"})
_AGENT: frozenset[Role] = frozenset({"agent"})

# Which act stands behind a step that a person does, and in which role it may be signed.
ACTS: Mapping[ActName, tuple[Step, frozenset[Role]]] = MappingProxyType(
    {
        # A hold only ever keeps: every party may have a duty to keep, an agent an order of a court.
        "place-hold": (Step.PLACE, _ALL),
        "lift-hold": (Step.LIFT, _ALL),
        "withdraw-deposit": (Step.WITHDRAW, _VENDOR),
        "cancel-deposit-withdrawal": (Step.TAKE_BACK, _VENDOR),
        "request-destruction": (Step.REQUEST, _VENDOR | _BENEFICIARY),
        "acknowledge-destruction": (Step.SERVE, _BENEFICIARY),
        "state-destruction-service": (Step.SERVE, _AGENT),
        "object-to-destruction": (Step.OBJECT, _BENEFICIARY),
        "cancel-destruction": (Step.CANCEL, _VENDOR | _BENEFICIARY),
        "confirm-destruction": (Step.CONFIRM, _AGENT),
    }
)

EVENT: Mapping[Step, str] = MappingProxyType(
    {
        Step.PLACE: "endings:hold:placed",
        Step.LIFT_IN_PART: "endings:hold:lifted-in-part",
        Step.LIFT: "endings:hold:lifted",
        Step.WITHDRAW_IN_PART: "endings:withdrawal:requested-in-part",
        Step.WITHDRAW: "endings:withdrawal:requested",
        Step.TAKE_BACK: "endings:withdrawal:cancelled",
        Step.INTEND_SHREDDING: "endings:withdrawal:intended",
        Step.SHRED: "endings:withdrawal:shredded",
        Step.REQUEST_IN_PART: "endings:destruction:requested-in-part",
        Step.REQUEST: "endings:destruction:requested",
        Step.SERVE_IN_PART: "endings:destruction:served-in-part",
        Step.SERVE: "endings:destruction:served",
        Step.END_GRACE: "endings:destruction:grace-ended",
        Step.OBJECT: "endings:destruction:objected",
        Step.CANCEL: "endings:destruction:cancelled",
        Step.CONFIRM: "endings:destruction:confirmed",
        Step.INTEND: "endings:destruction:intended",
        Step.EXECUTE: "endings:destruction:executed",
    }
)

# Behind each of these stands an act that a person signed.
BY_PEOPLE: frozenset[Step] = frozenset({step for step, _ in ACTS.values()} | {*IN_PART.values()})

# What the keyholder does is believed from the keyholder alone.
BY_KEYHOLDER: frozenset[Step] = frozenset(
    {Step.INTEND_SHREDDING, Step.SHRED, Step.INTEND, Step.EXECUTE}
)

# Vendor, every beneficiary and every agent are told; nobody of each agent's word, of an intent, or
# of the half of something.
TOLD: frozenset[Step] = frozenset(
    set(Step) - {Step.CONFIRM, Step.INTEND, Step.INTEND_SHREDDING, *IN_PART.values()}
)

NEXT: Mapping[State, str] = MappingProxyType(
    {
        State.PLACED: "Nothing is withdrawn, dropped, erased or destroyed until it is lifted.",
        State.LIFTED: "Nothing.",
        State.HALF_WITHDRAWN: "A second person of the vendor who signs jointly signs the same.",
        State.QUARANTINED: "The deposit is shredded when its time is over, unless the vendor takes "
        "the withdrawal back, a hold stands or a release request is open.",
        State.SHREDDING: "The keyholder shreds.",
        State.SHREDDED: "Nothing; copies of backups end with the backup horizon.",
        State.HALF_REQUESTED: "A second person of the party who signs jointly signs the same.",
        State.REQUESTED: "Every beneficiary acknowledges, or an agent states service with proof.",
        State.SERVED: "The grace period runs; a beneficiary may object, or place a hold.",
        State.CONFIRMING: "The agents confirm, each in his own client.",
        State.DESTROYING: "The keyholder destroys.",
        State.DESTROYED: "Nothing; the certificate says what remains unreadable until when.",
        State.OBJECTED: "Nothing; a new destruction may be requested.",
        State.CANCELLED: "Nothing; a new one may be requested.",
    }
)


def next_state(state: State, step: Step) -> State | None:
    """Return the state after a step, None where the step is not possible."""
    return TRANSITIONS.get((state, step))


def doers_of(step: Step) -> str:
    """Return who does a step, in words."""
    if step in BY_KEYHOLDER:
        return "keyholder"
    roles = sorted({role for done, who in ACTS.values() if done is whole_of(step) for role in who})
    return " or ".join(roles) or "clock"


def writer_of(step: Step) -> Writer:
    """Return which process writes a step down."""
    return "keyholder" if step in BY_KEYHOLDER else "portal"


def whole_of(step: Step) -> Step:
    """Return the step of which this is a part; itself where it is none."""
    return next((whole for whole, part in IN_PART.items() if part is step), step)
