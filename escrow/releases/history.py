"""What has happened to one request, folded from the agreement's events; pure.

Portal, keyholder and the agents' client fold the same way. Every act is verified again here, under
the keys that the agreement pins: an event that a portal made up, around an act that nobody signed,
breaks the history. Whether the events are complete and proven is the caller's matter
(:mod:`escrow.ledger.chains`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from agreements.requests import EVENT, FIRST, WHO, State, Step, next_state
from agreements.terms import Agreement, Condition, Role, Signatory
from escrow.evidence.acts import Act, ActName, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import RequestId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Event
from escrow.register.changes import RecipientChange, fold_changes
from escrow.releases.errors import HistoryBroken, RequestUnknown
from escrow.releases.subjects import (
    ConfirmationSubject,
    RequestSubject,
    ServiceSubject,
    parse_confirmation,
    parse_request,
    parse_service,
)

# Which act stands behind a step that a person does, and in which role it may be signed.
ACT_OF: Mapping[Step, tuple[frozenset[ActName], frozenset[Role]]] = {
    Step.FILE: (frozenset({"file-release-request"}), frozenset({"beneficiary"})),
    Step.SERVE: (
        frozenset({"acknowledge-service", "state-service"}),
        frozenset({"vendor", "agent"}),
    ),
    Step.CONSENT: (frozenset({"consent-to-release"}), frozenset({"vendor"})),
    Step.CONSENT_IN_PART: (frozenset({"consent-to-release"}), frozenset({"vendor"})),
    Step.OBJECT: (frozenset({"file-contrary-instructions"}), frozenset({"vendor"})),
    Step.OBJECT_LATE: (frozenset({"file-contrary-instructions"}), frozenset({"vendor"})),
    Step.WITHDRAW: (frozenset({"withdraw-release-request"}), frozenset({"beneficiary"})),
    Step.CONFIRM: (frozenset({"confirm-release"}), frozenset({"agent"})),
}

# Which process writes a step down. What the keyholder does is believed from the keyholder alone:
# a portal that opened a round could have the agents' shares sealed to a key of its own.
_WRITER: Mapping[Step, str] = {
    step: "keyholder" if doer == "keyholder" else "portal" for step, doer in WHO.items()
}

_STEP_OF_EVENT = {event: step for step, event in reversed(tuple(EVENT.items()))}


@dataclass(frozen=True)
class Given:
    """A verified act, and where it stands in the agreement's stream.

    Args:
        at: the time that the ledger states, not the person's own.
        place: number in the stream.
    """

    act: Act
    signatory: Signatory
    at: datetime
    place: int


@dataclass(frozen=True)
class Service:
    """A statement of service, with its day by the agreement's rules as it was logged."""

    given: Given
    subject: ServiceSubject
    logged: Mapping[str, Any]


@dataclass(frozen=True)
class Confirmation:
    """One agent's confirmation."""

    given: Given
    subject: ConfirmationSubject


@dataclass(frozen=True)
class Mark:
    """A step that no person did: where it stands, and what was logged with it."""

    at: datetime
    place: int
    entry_sha256: Sha256Hex
    data: Mapping[str, Any]


@dataclass
class _Folding:
    state: State = FIRST
    acts: dict[Step, list[Given]] = field(default_factory=dict)
    marks: dict[Step, list[Mark]] = field(default_factory=dict)
    logged: dict[int, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """One request, from its filing on.

    Args:
        changes: of the recipients of every beneficiary, under the request's text.
    """

    request: Given
    subject: RequestSubject
    condition: Condition
    state: State
    services: tuple[Service, ...]
    consents: tuple[Given, ...]
    objections: tuple[Given, ...]
    withdrawals: tuple[Given, ...]
    confirmations: tuple[Confirmation, ...]
    silences: tuple[Mark, ...]
    openings: tuple[Mark, ...]
    intended: tuple[Mark, ...]
    executed: tuple[Mark, ...]
    superseded: tuple[Mark, ...]
    changes: tuple[RecipientChange, ...] = ()


def fold(events: Sequence[ChainedEvent], request_id: RequestId, terms: Agreement) -> History:
    """Return the history of a request.

    Args:
        events: of the agreement's stream, in order; those of other matters are passed over.
        terms: of the version that the request names.

    Raises:
        RequestUnknown: no filing among the events.
        HistoryBroken, ChangeBroken: an act is not signed by who may do it, or nothing that the
            agreement knows.
    """
    folding = _Folding()
    for one in events:
        if one.event.data.get("request_id") == request_id:
            _take(folding, one, terms)
    filings = folding.acts.get(Step.FILE)
    if not filings:
        raise RequestUnknown
    changes = fold_changes((one.event for one in events), terms)
    return replace(_history(folding, filings[0], terms), changes=changes)


def request_named(event: Event) -> RequestSubject | None:
    """Return what a filing asks for, as its unverified act says; None for another event."""
    if event.type != EVENT[Step.FILE]:
        return None
    envelope = Envelope.from_json(cast("dict[str, Any]", event.data["act"]))
    return parse_request(parse_act(envelope.payload).subject)


def service_of(act: Act, at: datetime) -> ServiceSubject:
    """Return how and when the vendor had the notice; his own word counts from the day he gives it.

    Args:
        at: when the act was taken.

    Raises:
        RequestMalformed: a statement of service says neither.
    """
    if act.name == "acknowledge-service":
        return ServiceSubject("acknowledged", at.astimezone(UTC).date(), "")
    return parse_service(act.subject)


def _history(folding: _Folding, request: Given, terms: Agreement) -> History:
    subject = parse_request(request.act.subject)
    condition = next((one for one in terms.conditions if one.type == subject.condition), None)
    if condition is None or subject.text_sha256 != terms.text_sha256:
        raise HistoryBroken("the request is under other terms")
    return History(
        request=request,
        subject=subject,
        condition=condition,
        state=folding.state,
        services=tuple(
            Service(one, service_of(one.act, one.at), folding.logged[one.place])
            for one in folding.acts.get(Step.SERVE, [])
        ),
        # Whether one binds, or was timely, is asked again by whoever decides, whatever it was
        # logged as.
        consents=_given(folding, Step.CONSENT, Step.CONSENT_IN_PART),
        objections=_given(folding, Step.OBJECT, Step.OBJECT_LATE),
        withdrawals=tuple(folding.acts.get(Step.WITHDRAW, [])),
        confirmations=tuple(
            Confirmation(one, parse_confirmation(one.act.subject))
            for one in folding.acts.get(Step.CONFIRM, [])
        ),
        silences=_marks(folding, Step.FALL_SILENT),
        openings=_marks(folding, Step.OPEN_CONFIRMATION),
        intended=_marks(folding, Step.INTEND),
        executed=_marks(folding, Step.EXECUTE),
        superseded=_marks(folding, Step.SUPERSEDE),
    )


def _given(folding: _Folding, *steps: Step) -> tuple[Given, ...]:
    found = [one for step in steps for one in folding.acts.get(step, [])]
    return tuple(sorted(found, key=lambda one: one.place))


def _marks(folding: _Folding, step: Step) -> tuple[Mark, ...]:
    return tuple(folding.marks.get(step, []))


def _take(folding: _Folding, one: ChainedEvent, terms: Agreement) -> None:
    event = one.event
    step = _STEP_OF_EVENT.get(event.type)
    if step is None:
        return
    if event.role != _WRITER[step]:
        raise HistoryBroken(f"{event.type} was written by the {event.role}")
    if step in ACT_OF:
        folding.acts.setdefault(step, []).append(_verified(step, event, terms))
        folding.logged[event.sequence] = event.data
    else:
        mark = Mark(event.at, event.sequence, one.entry_sha256, event.data)
        folding.marks.setdefault(step, []).append(mark)
    if step is not Step.FILE:
        curable = step is Step.SERVE and event.data.get("cure_last_day") is not None
        folding.state = _after(folding.state, Step.SERVE_CURABLE if curable else step)


def _after(state: State, step: Step) -> State:
    following = next_state(state, step)
    if following is None:
        raise HistoryBroken(f"'{step}' was logged while the request was {state}")
    return following


def _verified(step: Step, event: Event, terms: Agreement) -> Given:
    """Return the act behind an event, signed by somebody to whom it belongs.

    Raises:
        HistoryBroken: it is not.
    """
    names, roles = ACT_OF[step]
    try:
        envelope = Envelope.from_json(cast("dict[str, Any]", event.data["act"]))
        unverified = parse_act(envelope.payload)
        signatory = terms.person_of_key(str(unverified.key))
        if signatory is None or signatory.role not in roles or unverified.name not in names:
            raise HistoryBroken(f"{event.type} holds an act of somebody else")
        act = verify_act(envelope, unverified.key)
    except HistoryBroken:
        raise
    except (EscrowError, KeyError, TypeError, ValueError):
        raise HistoryBroken(f"{event.type} holds no act that was signed") from None
    if act.subject.get("request_id") != event.data["request_id"]:
        raise HistoryBroken(f"{event.type} holds an act on another request")
    return Given(act, signatory, event.at, event.sequence)
