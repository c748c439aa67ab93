"""What has happened to the endings of an agreement, folded from its events; pure.

Portal, keyholder and the agents' client fold the same way. Every act is verified again, under the
keys of the text that was in force *where the event stands*: a portal that writes an event around
an act that nobody signed, or that somebody signed who had left, breaks the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from agreements.terms import Agreement, Signatory
from escrow.endings.errors import EndingHistoryBroken
from escrow.endings.states import (
    ACTS,
    BY_ANY_ONE,
    BY_PEOPLE,
    EVENT,
    IN_PART,
    OPENING,
    Kind,
    State,
    Step,
    next_state,
    whole_of,
    writer_of,
)
from escrow.endings.subjects import ending_id_of, own_fields
from escrow.evidence.acts import parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.errors import EscrowError
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Event
from escrow.register.governing import Texts
from escrow.releases.history import Given, Mark

_PARTS = frozenset(IN_PART.values())
_STEP_OF_EVENT = {event: step for step, event in EVENT.items()}


@dataclass(frozen=True)
class Ending:
    """One hold, withdrawal or destruction, from its opening on.

    Attributes:
        version: of the agreement under which it was opened.
        own: what the opening act says beside what it is about.
        acts: every act with its step, in order, the opening first.
        marks: steps that no person did.
    """

    kind: Kind
    id: str
    version: int
    state: State
    own: Mapping[str, str]
    acts: tuple[tuple[Step, Given], ...]
    marks: tuple[tuple[Step, Mark], ...] = field(default=())

    @property
    def opening(self) -> Given:
        """The act that began it."""
        return self.acts[0][1]

    @property
    def begun(self) -> Given:
        """The act by which it began to count: of two who sign jointly, the second's."""
        whole = [one for step, one in self.acts if step in OPENING and step not in _PARTS]
        return whole[-1] if whole else self.opening

    def given(self, *steps: Step) -> list[Given]:
        """Return the acts of some steps, in order."""
        return [one for step, one in self.acts if step in steps]

    def mark(self, step: Step) -> Mark | None:
        """Return the newest mark of a step."""
        return next((one for done, one in reversed(self.marks) if done is step), None)


def terms_at(texts: Texts, place: int) -> tuple[Agreement, int]:
    """Return the terms in force at a place of the stream, and their version.

    Raises:
        EndingHistoryBroken: none.
    """
    found = texts.at(place)
    if found is None:
        raise EndingHistoryBroken("an act stands before the agreement came into force")
    return found.terms, found.version


def fold_endings(events: Sequence[ChainedEvent], texts: Texts) -> dict[str, Ending]:
    """Return every ending of an agreement by its id.

    Args:
        events: of the agreement's stream, in order; whether they are proven is the caller's.

    Raises:
        EndingHistoryBroken: an act is not signed by who may do it, or not possible.
    """
    found: dict[str, Ending] = {}
    for one in events:
        step = _STEP_OF_EVENT.get(one.event.type)
        if step is None:
            continue
        if one.event.role != writer_of(step):
            raise EndingHistoryBroken(f"{one.event.type} was written by the {one.event.role}")
        ending_id = _text(one.event, "ending_id")
        if step in OPENING and ending_id not in found:
            found[ending_id] = _opened(step, ending_id, one.event, texts)
        elif ending_id not in found:
            raise EndingHistoryBroken(f"{ending_id} was never begun")
        else:
            found[ending_id] = _moved(found[ending_id], step, one, texts)
    return found


def may_lift(hold: Ending, signatory: Signatory, terms: Agreement) -> bool:
    """Return whether somebody may lift a hold: whoever's it is, and an agent for who has left.

    An agent's hold is lifted by any agent, since agents change and the order that he had does not.
    """
    placed = hold.opening.signatory
    if signatory.role == placed.role and signatory.organisation == placed.organisation:
        return True
    has_left = placed.role != "agent" and terms.party(placed.organisation) is None
    return signatory.role == "agent" and (placed.role == "agent" or has_left)


def is_bound(
    step: Step, given: Given, before: Sequence[tuple[Step, Given]], terms: Agreement
) -> bool:
    """Return whether an act binds whoever's it is, or is the half of what does.

    A party is bound by one who signs alone, or by two who sign jointly, as in a release request
    (``releases/decision.py``); what only keeps is done by any one. An agent is nobody's half.

    Args:
        step: that the act is taken for.
        before: the acts that came before it.
        terms: in force where it stands; who is not in them any more is no first of two.
    """
    is_joint = given.signatory.signs == "joint"
    if step in _PARTS:
        return is_joint or step is Step.SERVE_IN_PART
    if not is_joint or step in BY_ANY_ONE:
        return True
    return any(
        done is IN_PART.get(step)
        and one.signatory.signs == "joint"
        and one.signatory.role == given.signatory.role
        and one.signatory.organisation == given.signatory.organisation
        and one.signatory.signing_key != given.signatory.signing_key
        and terms.person_of_key(one.signatory.signing_key) is not None
        for done, one in before
    )


def _opened(step: Step, ending_id: str, event: Event, texts: Texts) -> Ending:
    kind, state = OPENING[step]
    given, version = _verified(step, event, texts, ())
    if given.act.subject.get("version") != version:
        raise EndingHistoryBroken(f"{ending_id} was begun under another version")
    return Ending(kind, ending_id, version, state, own_fields(given.act), ((step, given),))


def _moved(ending: Ending, step: Step, one: ChainedEvent, texts: Texts) -> Ending:
    event, following = one.event, next_state(ending.state, step)
    if following is None:
        raise EndingHistoryBroken(f"'{step}' was logged while {ending.id} was {ending.state}")
    # Not by whether there is an act: a portal that leaves it out must not lift a hold.
    if step not in BY_PEOPLE:
        mark = Mark(event.at, event.sequence, one.entry_sha256, event.data)
        return replace(ending, state=following, marks=(*ending.marks, (step, mark)))
    given, _ = _verified(step, event, texts, ending.acts)
    if not _is_about(step, given, ending):
        raise EndingHistoryBroken(f"{event.type} holds an act on another ending")
    if step in (Step.LIFT, Step.LIFT_IN_PART) and not may_lift(
        ending, given.signatory, terms_at(texts, event.sequence)[0]
    ):
        raise EndingHistoryBroken("a hold was lifted by somebody else")
    return replace(ending, state=following, acts=(*ending.acts, (step, given)))


def _is_about(step: Step, given: Given, ending: Ending) -> bool:
    """Return whether an act names this ending; the second of two says what the first said."""
    if step in OPENING:
        return dict(given.act.subject) == dict(ending.opening.act.subject)
    return given.act.subject.get("opening_act_sha256") == ending.opening.act.sha256


def _verified(
    step: Step, event: Event, texts: Texts, before: Sequence[tuple[Step, Given]]
) -> tuple[Given, int]:
    """Return the act behind an event, signed by somebody to whom it belongs, and the version."""
    terms, version = terms_at(texts, event.sequence)
    wanted = whole_of(step)
    try:
        envelope = Envelope.from_json(cast("dict[str, Any]", event.data["act"]))
        unverified = parse_act(envelope.payload)
        signatory = terms.person_of_key(str(unverified.key))
        done, roles = ACTS.get(unverified.name, (None, frozenset()))
        if signatory is None or signatory.role not in roles or done is not wanted:
            raise EndingHistoryBroken(f"{event.type} holds an act of somebody else")
        act = verify_act(envelope, unverified.key)
        own_fields(act)
        ending_id = ending_id_of(act)
        # Who signs under several agreements with one key is moved to none that he did not mean.
        if act.subject["agreement_id"] != event.stream.id:
            raise EndingHistoryBroken(f"{event.type} holds an act on another agreement")
    except EndingHistoryBroken:
        raise
    except (EscrowError, KeyError, TypeError, ValueError):
        raise EndingHistoryBroken(f"{event.type} holds no act that was signed") from None
    given = Given(act, signatory, event.at, event.sequence)
    if ending_id != event.data["ending_id"] or not is_bound(step, given, before, terms):
        raise EndingHistoryBroken(f"{event.type} holds an act on another ending, or half of one")
    return given, version


def _text(event: Event, name: str) -> str:
    return str(event.data.get(name))
