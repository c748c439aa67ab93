"""Acts that end things: placed, withdrawn, requested, served, objected, confirmed, taken back.

Every act is verified, compared with the table, written as an event with the act verbatim, and
repeated in a row, in one transaction. A withdrawal puts its deposit into quarantine in the same
transaction: it is no newest deposit any more, nothing is carried from it, and it is not rebuilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from agreements.terms import Agreement
from escrow.deposits import records as deposits
from escrow.endings import records
from escrow.endings.errors import (
    BeneficiaryNotServed,
    DepositNotComplete,
    EndingKnown,
    EndingMalformed,
    EndingStepNotPossible,
    WrongEndingDoer,
)
from escrow.endings.folding import Ending, is_bound, may_lift
from escrow.endings.notifying import notify
from escrow.endings.reading import (
    OpenedEnding,
    open_ending,
    product_id_of,
    product_of,
    rows_of,
    sight_of,
)
from escrow.endings.rules import (
    Product,
    check_nothing_stands,
    check_replaced,
    check_word,
    grace_ends_at,
    service_of,
)
from escrow.endings.states import (
    ACTS,
    BY_ANY_ONE,
    EVENT,
    IN_PART,
    OPENING,
    Kind,
    State,
    Step,
    next_state,
)
from escrow.endings.subjects import day_of, ending_id_of, own_fields, papers_named
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import Stream
from escrow.register.acts import PartyAct, verify_party_act
from escrow.register.errors import ActTaken
from escrow.register.inforce import version_in_force
from escrow.register.subjects import check_subject
from escrow.releases.decision import check_service_day
from escrow.releases.history import Given
from escrow.releases.papers import Paper, check_papers
from escrow.releases.subjects import ServiceSubject

QUARANTINED = "quarantined"


def take_act(
    session: Session,
    agreement_id: AgreementId,
    envelope: Envelope,
    papers: Sequence[Paper],
    scribe: Scribe,
    clock: Clock,
) -> str:
    """Take an act on a new or a known ending, and return the ending's id.

    Raises:
        AgreementUnknown, AgreementEnded: nothing is in force.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther, ActTaken: as :func:`~escrow.register.acts.verify_party_act`.
        EndingMalformed, WrongEndingDoer, EndingKnown, EndingUnknown, EndingStepNotPossible,
        HoldStands, RequestOpen, LastBuildable, DepositNotComplete, WordOutdated, ServiceDayWrong,
        PaperMalformed: see their sentences.
    """
    terms, version = version_in_force(session, agreement_id)
    taken = verify_party_act(agreement_id, version, terms, envelope, clock.now())
    own = own_fields(taken.act)
    step, roles = ACTS[taken.act.name]
    if taken.signatory.role not in roles:
        raise WrongEndingDoer(f"a person of the {' or '.join(sorted(roles))}")
    check_papers(papers, papers_named(own))
    ending_id = ending_id_of(taken.act)
    if step in OPENING and _is_second(session, ending_id, taken):
        _open_fully(session, step, ending_id, taken, scribe)
    elif step in OPENING:
        _open(session, step, ending_id, taken, scribe)
    else:
        _follow(session, step, ending_id, taken, scribe)
    for one in papers:
        row = records.EndingPaperRow(
            ending_id=ending_id,
            sha256=one.sha256,
            kind=one.kind,
            name=one.name,
            content=one.content,
            sent_at=taken.taken_at,
        )
        records.keep_paper(session, row)
    return ending_id


def _is_second(session: Session, ending_id: str, taken: PartyAct) -> bool:
    is_joint = taken.signatory.signs == "joint"
    return is_joint and records.ending_by_id(session, ending_id) is not None


def _open_fully(
    session: Session, step: Step, ending_id: str, taken: PartyAct, scribe: Scribe
) -> None:
    """Take the act of the second of two who sign jointly, on what the first has begun."""
    opened = open_ending(session, ending_id)
    ending = opened.ending
    # The very same, and still under the text in force: what the first signed under another is none.
    check_subject(taken.act.subject, ending.opening.act.subject)
    check_subject({"version": ending.version}, {"version": taken.version})
    given = Given(taken.act, taken.signatory, taken.taken_at, len(opened.events))
    following = next_state(ending.state, step)
    if following is None or not is_bound(step, given, ending.acts, taken.terms):
        raise EndingKnown("what this person has signed already, or is whole without him")
    told = _begin(session, step, taken)
    records.write_state(session, opened.row, following, taken.taken_at)
    _append(session, scribe, step, ending_id, taken)
    notify(session, scribe, ending_id, step, told, taken.taken_at)


def _begin(session: Session, step: Step, taken: PartyAct) -> list[tuple[AgreementId, Agreement]]:
    """Check what an ending needs to begin, put a deposit into quarantine, return who is told.

    The half of one is checked as the whole, and changes nothing.
    """
    kind = OPENING[step][0]
    if kind is Kind.WITHDRAWAL:
        deposit_id = DepositId(str(taken.act.subject["deposit_id"]))
        product = _quarantine(session, deposit_id, taken, is_half=step is Step.WITHDRAW_IN_PART)
        return [(one.agreement_id, one.terms) for one in product.serving(deposit_id)]
    if kind is Kind.DESTRUCTION:
        _check_destroyable(session, taken)
    return [(taken.agreement_id, taken.terms)]


def _open(session: Session, step: Step, ending_id: str, taken: PartyAct, scribe: Scribe) -> None:
    if taken.signatory.signs == "joint" and step not in BY_ANY_ONE:
        step = IN_PART[step]
    kind, state = OPENING[step]
    expected = {"version": taken.version, "text_sha256": taken.terms.text_sha256}
    check_subject({name: taken.act.subject[name] for name in expected}, expected)
    if records.ending_by_id(session, ending_id) is not None:
        raise EndingKnown("an ending of this id")
    told = _begin(session, step, taken)
    deposit_id = taken.act.subject.get("deposit_id")
    row = records.EndingRow(
        id=ending_id,
        agreement_id=taken.agreement_id,
        kind=kind,
        deposit_id=None if deposit_id is None else str(deposit_id),
        organisation=taken.signatory.organisation,
        state=state,
        filed_at=taken.taken_at,
        changed_at=taken.taken_at,
    )
    records.add(session, row)
    _append(session, scribe, step, ending_id, taken)
    notify(session, scribe, ending_id, step, told, taken.taken_at)


def _quarantine(
    session: Session, deposit_id: DepositId, taken: PartyAct, *, is_half: bool
) -> Product:
    """Take a deposit out of what is offered, once nothing stands against it and it is no half.

    Raises:
        DepositUnknown, DepositNotComplete, EndingKnown: not this deposit.
        HoldStands, RequestOpen, LastBuildable: not now.
    """
    product = product_of(session, product_id_of(session, deposit_id), rows_of(session))
    row = deposits.deposit_by_id(session, deposit_id)
    if row is None or row.state != "sealed" or row.receipt_json is None:
        raise DepositNotComplete(row.state if row else "gone")
    serving = product.serving(deposit_id)
    if taken.agreement_id not in {one.agreement_id for one in serving}:
        raise EndingMalformed("the deposit serves another agreement")
    if product.withdrawal_of(deposit_id) is not None:
        raise EndingKnown("a withdrawal of this deposit")
    if deposit_id in product.intended:
        raise DepositNotComplete("being shredded")
    check_nothing_stands(serving)
    check_replaced(product, deposit_id)
    if not is_half:
        row.state = QUARANTINED
        deposits.add(session, row)
    return product


def _check_destroyable(session: Session, taken: PartyAct) -> None:
    standing = records.open_of_kind(session, taken.agreement_id, Kind.DESTRUCTION)
    if any(one.state != State.HALF_REQUESTED for one in standing):
        raise EndingKnown("a request for destruction")
    events = rows_of(session)(Stream("agreement", taken.agreement_id))
    check_nothing_stands([sight_of(session, taken.agreement_id, events)])


def _follow(session: Session, step: Step, ending_id: str, taken: PartyAct, scribe: Scribe) -> None:
    opened = open_ending(session, ending_id)
    ending, now = opened.ending, taken.taken_at
    expected = {
        "agreement_id": opened.row.agreement_id,
        "ending_id": ending_id,
        "opening_act_sha256": ending.opening.act.sha256,
    }
    check_subject({name: taken.act.subject[name] for name in expected}, expected)
    if taken.act.sha256 in {one.event.data.get("act_sha256") for one in opened.events}:
        raise ActTaken
    step = _checked(step, opened, taken)
    following = next_state(ending.state, step)
    if following is None:
        raise EndingStepNotPossible(step, ending.state)
    records.write_state(session, opened.row, following, now)
    told = [(taken.agreement_id, taken.terms)]
    if step is Step.TAKE_BACK:
        told = _take_out(session, ending)
    _append(session, scribe, step, ending_id, taken)
    notify(session, scribe, ending_id, step, told, now)


def _checked(step: Step, opened: OpenedEnding, taken: PartyAct) -> Step:
    """Return the step that an act really is, once its doer may do it.

    Raises:
        WrongEndingDoer, WordOutdated, ServiceDayWrong, EndingMalformed: not so.
    """
    ending, terms = opened.ending, taken.terms
    given = Given(taken.act, taken.signatory, taken.taken_at, len(opened.events))
    if step is Step.LIFT and not may_lift(ending, taken.signatory, terms):
        raise WrongEndingDoer("whoever placed the hold")
    if step is Step.CANCEL and taken.signatory.organisation != opened.row.organisation:
        raise WrongEndingDoer("whoever requested the destruction")
    if step is Step.CONFIRM and ending.state is State.CONFIRMING:
        if taken.signatory.signing_key in {
            one.signatory.signing_key for one in ending.given(Step.CONFIRM)
        }:
            raise EndingKnown("a confirmation of this agent")
        check_word(given, ending, terms, opened.events)
    if step is Step.SERVE:
        _check_service(given, opened, terms)
        return _serving(given, ending, terms)
    if not is_bound(step, given, ending.acts, terms):
        _check_first(IN_PART[step], given, ending)
        return IN_PART[step]
    return step


def _check_first(part: Step, given: Given, ending: Ending) -> None:
    if given.signatory.signing_key in {one.signatory.signing_key for one in ending.given(part)}:
        raise EndingKnown("what this person has signed already")


def _check_service(given: Given, opened: OpenedEnding, terms: Agreement) -> None:
    own = own_fields(given.act)
    if not own:
        return
    if own["beneficiary"] not in {one.organisation for one in terms.beneficiaries}:
        raise EndingMalformed("beneficiary is none of the agreement's")
    subject = ServiceSubject("courier", day_of(own), own["proof_sha256"])
    check_service_day(subject, opened.ending.begun.at, given.at.astimezone(UTC))


def _serving(given: Given, ending: Ending, terms: Agreement) -> Step:
    """Return whether with this service every beneficiary is served."""
    service_of(given, terms)
    acts = (*ending.acts, (Step.SERVE, given))
    try:
        grace_ends_at(replace(ending, acts=acts), terms)
    except BeneficiaryNotServed:
        return Step.SERVE_IN_PART
    return Step.SERVE


def _take_out(session: Session, ending: Ending) -> list[tuple[AgreementId, Agreement]]:
    """End a deposit's quarantine, and return who is to be told."""
    deposit_id = DepositId(ending.own["deposit_id"])
    row = deposits.deposit_by_id(session, deposit_id)
    # What the first of two had signed put nothing there; another withdrawal may have.
    if row is not None and row.state == QUARANTINED and ending.state is State.QUARANTINED:
        row.state = "sealed"
        deposits.add(session, row)
    product = product_of(session, product_id_of(session, deposit_id), rows_of(session))
    return [(one.agreement_id, one.terms) for one in product.serving(deposit_id)]


def _append(session: Session, scribe: Scribe, step: Step, ending_id: str, taken: PartyAct) -> None:
    # Verbatim: whoever has the log alone can check who signed what.
    facts: dict[str, object] = {"ending_id": ending_id, "act": taken.envelope.to_json()}
    scribe.append(session, taken.event(EVENT[step], facts))
