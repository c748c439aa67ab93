"""Acts on a request: filed, served, consented, objected, withdrawn; each signed by its person.

Every act is verified, compared with the state machine, written as an event with the act verbatim,
and repeated in the request's row, in one transaction. Whether an agent's confirmation counts is
:mod:`escrow.releases.confirming`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from agreements.periods import periods_of
from agreements.requests import EVENT, State, Step, next_state
from agreements.terms import Agreement
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.appending import Entry, Scribe
from escrow.register.acts import PartyAct, verify_party_act
from escrow.register.changes import counting_recipients
from escrow.register.errors import ActTaken
from escrow.register.inforce import version_in_force
from escrow.register.reading import changes_of
from escrow.register.subjects import check_subject
from escrow.releases import records
from escrow.releases.decision import (
    check_evidence,
    check_recipient,
    check_service_day,
    is_timely,
    service_day,
    silence_ends_at,
    vendors_word,
)
from escrow.releases.errors import (
    AgreementChanged,
    ConditionUnknown,
    RecipientChanged,
    RecipientNotPinned,
    RequestKnown,
    RequestMalformed,
    StepNotPossible,
    WrongDoer,
)
from escrow.releases.history import ACT_OF, Given, service_of
from escrow.releases.notifying import notify
from escrow.releases.papers import Paper, check_papers, keep_papers
from escrow.releases.reading import OpenedRequest, open_request
from escrow.releases.subjects import (
    RequestSubject,
    ServiceSubject,
    act_subject,
    parse_objection,
    parse_request,
)

_DOERS = {"beneficiary": "the beneficiary", "vendor": "the vendor", "agent": "an agent"}

# Steps that an act can be, by the act's name; an objection's step depends on its time.
_STEP_OF_ACT: Mapping[str, Step] = {
    "acknowledge-service": Step.SERVE,
    "state-service": Step.SERVE,
    "consent-to-release": Step.CONSENT,
    "file-contrary-instructions": Step.OBJECT,
    "withdraw-release-request": Step.WITHDRAW,
}

# What an act says beside the request that it is about; parsed where it is used.
_OWN_FIELDS: Mapping[str, frozenset[str]] = {
    "state-service": frozenset({"method", "day", "proof_sha256"}),
    "file-contrary-instructions": frozenset({"ground", "statement_sha256"}),
}


def file_request(
    session: Session,
    agreement_id: AgreementId,
    envelope: Envelope,
    papers: Sequence[Paper],
    scribe: Scribe,
    clock: Clock,
) -> RequestId:
    """Take a beneficiary's release request and return its id.

    Raises:
        AgreementUnknown: nothing is in force.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther: as :func:`~escrow.register.acts.verify_party_act`.
        WrongDoer: not signed by a person of a beneficiary who signs alone.
        RequestMalformed, AgreementChanged, ConditionUnknown, RecipientNotPinned, EvidenceMissing,
        PaperMalformed, RequestKnown: see their sentences.
    """
    terms, version = version_in_force(session, agreement_id)
    taken = verify_party_act(agreement_id, version, terms, envelope, clock.now())
    if taken.act.name != "file-release-request":
        raise RequestMalformed("it is another act")
    if taken.signatory.role != "beneficiary" or taken.signatory.signs != "single":
        raise WrongDoer("a person of the beneficiary who signs alone")
    subject = parse_request(taken.act.subject)
    _check_request(subject, terms, version)
    _check_recipient(session, subject, taken)
    check_papers(papers, [subject.statement_sha256, *(one.sha256 for one in subject.evidence)])
    if records.request_by_id(session, subject.request_id) is not None:
        raise RequestKnown
    row = records.ReleaseRequestRow(
        id=subject.request_id,
        agreement_id=agreement_id,
        version=version,
        condition=subject.condition,
        organisation=taken.signatory.organisation,
        state=State.FILED,
        filed_at=taken.taken_at,
        changed_at=taken.taken_at,
    )
    records.add(session, row)
    keep_papers(session, subject.request_id, papers, taken.taken_at)
    entry = _append(session, scribe, Step.FILE, subject.request_id, taken, {})
    notify(session, scribe, row, terms, Step.FILE, entry.stream_sequence, taken.taken_at)
    return subject.request_id


def take_act(
    session: Session,
    request_id: RequestId,
    envelope: Envelope,
    papers: Sequence[Paper],
    scribe: Scribe,
    clock: Clock,
) -> Step:
    """Take an act on a request that is on file, and return the step that it was.

    Raises:
        RequestUnknown: none of this id.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther: as :func:`~escrow.register.acts.verify_party_act`.
        WrongDoer, StepNotPossible, ActTaken, RequestMalformed, ServiceDayWrong, PaperMalformed:
        see their sentences.
    """
    opened = open_request(session, request_id)
    taken = verify_party_act(
        opened.agreement_id, opened.row.version, opened.terms, envelope, clock.now()
    )
    step = _STEP_OF_ACT.get(taken.act.name)
    if step is None:
        raise RequestMalformed("it is no act on a request that is on file")
    _check_doer(step, taken)
    _check_subject(opened, taken)
    _check_new(opened, taken)
    step = _timed(step, opened, taken)
    data, named = _facts(step, opened, taken, clock.now())
    check_papers(papers, named)
    way = _by_table(step, data)
    move(session, opened, way, taken.taken_at)
    keep_papers(session, request_id, papers, taken.taken_at)
    place = _append(session, scribe, step, request_id, taken, data).stream_sequence
    notify(session, scribe, opened.row, opened.terms, way, place, taken.taken_at, data)
    return step


def move(session: Session, opened: OpenedRequest, step: Step, now: datetime) -> State:
    """Write down in the row where a step leads; its event stands in the same transaction.

    Raises:
        StepNotPossible: the table has no such step from here.
    """
    state = opened.history.state
    following = next_state(state, step)
    if following is None:
        raise StepNotPossible(step, state)
    records.write_state(session, opened.row, following, now)
    return following


def _check_request(subject: RequestSubject, terms: Agreement, version: int) -> None:
    if (subject.version, subject.text_sha256) != (version, terms.text_sha256):
        raise AgreementChanged
    condition = next((one for one in terms.conditions if one.type == subject.condition), None)
    if condition is None:
        raise ConditionUnknown(subject.condition, [one.type for one in terms.conditions])
    check_evidence([one.type for one in subject.evidence], condition.evidence)


def _check_recipient(session: Session, subject: RequestSubject, taken: PartyAct) -> None:
    party = taken.terms.party(taken.signatory.organisation)
    changes = changes_of(session, taken.agreement_id, taken.terms)
    counting = counting_recipients(party, changes, taken.taken_at) if party else {}
    if subject.recipient not in counting.values():
        raise RecipientNotPinned


def _check_doer(step: Step, taken: PartyAct) -> None:
    _, roles = ACT_OF[step]
    stating = taken.act.name == "state-service"
    wanted = {"agent"} if stating else roles - {"agent"} if step is Step.SERVE else roles
    if taken.signatory.role not in wanted:
        raise WrongDoer(" or ".join(_DOERS[one] for one in sorted(wanted)))


def _check_subject(opened: OpenedRequest, taken: PartyAct) -> None:
    """Compare what every act on a request says with the request as it was signed."""
    own = _OWN_FIELDS.get(taken.act.name, frozenset())
    signed = {name: value for name, value in taken.act.subject.items() if name not in own}
    expected = act_subject(opened.agreement_id, opened.id, opened.history.request.act.sha256)
    check_subject(signed, expected)


def _check_new(opened: OpenedRequest, taken: PartyAct) -> None:
    known = {one.event.data.get("act_sha256") for one in opened.events}
    if taken.act.sha256 in known:
        raise ActTaken


def _timed(step: Step, opened: OpenedRequest, taken: PartyAct) -> Step:
    """Return the late form of an objection that comes too late, and the part of a consent."""
    place = opened.events[-1].event.sequence + 1
    given = Given(taken.act, taken.signatory, taken.taken_at, place)
    if step is Step.OBJECT:
        return step if is_timely(given, opened.history, opened.terms) else Step.OBJECT_LATE
    if step is Step.CONSENT:
        then = replace(opened.history, consents=(*opened.history.consents, given))
        binds = vendors_word(then, opened.terms).consent is given
        return step if binds else Step.CONSENT_IN_PART
    return step


def _by_table(step: Step, data: Mapping[str, object]) -> Step:
    curable = step is Step.SERVE and data.get("cure_last_day") is not None
    return Step.SERVE_CURABLE if curable else step


def _facts(
    step: Step, opened: OpenedRequest, taken: PartyAct, now: datetime
) -> tuple[dict[str, object], list[str]]:
    """Return what the event says beside the act, and the digests of the papers it names."""
    if step is Step.SERVE:
        subject = service_of(taken.act, taken.taken_at)
        check_service_day(subject, opened.row.filed_at, now)
        proofs = [subject.proof_sha256] if taken.act.name == "state-service" else []
        return _computed_days(opened, subject), proofs
    if step in (Step.OBJECT, Step.OBJECT_LATE):
        _, statement = parse_objection(taken.act.subject)
        return {}, [statement]
    return {}, []


def _computed_days(opened: OpenedRequest, subject: ServiceSubject) -> dict[str, object]:
    served_on = service_day(subject, opened.terms)
    periods = periods_of(opened.terms, opened.history.condition, served_on)
    cure = periods.cure_last_day
    return {
        "served_on": served_on.isoformat(),
        "cure_last_day": cure.isoformat() if cure else None,
        "objection_last_day": periods.objection.last_day.isoformat(),
        "calendar": periods.objection.calendar,
        "calendar_sha256": periods.objection.calendar_sha256,
        # A machine word; the library's name and version.
        "calendar_source": periods.objection.source.replace(" ", "/"),
    }


def _append(
    session: Session,
    scribe: Scribe,
    step: Step,
    request_id: RequestId,
    taken: PartyAct,
    data: Mapping[str, object],
) -> Entry:
    # Verbatim: whoever has the log alone can check who signed what.
    facts = {"request_id": request_id, **data, "act": taken.envelope.to_json()}
    return scribe.append(session, taken.event(EVENT[step], facts))


def append_confirmation(
    session: Session, scribe: Scribe, request_id: RequestId, taken: PartyAct
) -> Entry:
    """Write an agent's confirmation down, once its share was found right."""
    return _append(session, scribe, Step.CONFIRM, request_id, taken, {})


def is_due(opened: OpenedRequest, now: datetime) -> Step | None:
    """Return the step that the clock, or a newer agreement, has made due; None where none is."""
    history = opened.history
    if next_state(history.state, Step.SUPERSEDE) and _is_overtaken(opened, now):
        return Step.SUPERSEDE
    due = opened.due()
    if due is not None and history.state is State.CURING and now > due[1]:
        return Step.END_CURE
    ends_at = silence_ends_at(history, opened.terms)
    if history.state is State.OBJECTION_WINDOW and ends_at is not None and now > ends_at:
        return Step.FALL_SILENT
    return None


def _is_overtaken(opened: OpenedRequest, now: datetime) -> bool:
    """Tell whether the agreement, or a recipient, is not what it was when the request was filed."""
    if opened.in_force != opened.row.version:
        return True
    try:
        check_recipient(opened.history, opened.terms, now)
    except RecipientChanged:
        return True
    except RecipientNotPinned:
        # Never so filed: the keyholder refuses it, and voiding is for what was right once.
        return False
    return False
