"""May this be released? A pure rule over a history; the keyholder asks it with proven events.

Guarantees: a :class:`Decision` exists only where the request is approved, nothing stands against
it, and k agents confirmed exactly this matter in the round that was opened last. It does not look
at shares or headers: the keyholder does, before anything is combined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from agreements.periods import (
    Periods,
    consent_revocable_until,
    deemed_service,
    end_of,
    periods_of,
)
from agreements.terms import Agreement
from escrow.ground.errors import EscrowError
from escrow.ledger.chains import ChainedEvent
from escrow.register.changes import counting_recipients
from escrow.releases.errors import (
    AgreementChanged,
    ConfirmationOutdated,
    EvidenceMissing,
    NotApproved,
    ObjectionStands,
    RecipientChanged,
    RecipientNotPinned,
    ServiceDayWrong,
    StepNotPossible,
    TooFewConfirmations,
    WrongDoer,
)
from escrow.releases.history import Confirmation, Given, History, Mark, Service
from escrow.releases.subjects import ConfirmationSubject, ServiceSubject


@dataclass(frozen=True)
class Approval:
    """Why agents may confirm.

    Args:
        by: the vendor's consent, or his silence.
        at: when it was given, or when the period ended.
        place: in the agreement's stream; what was opened before it does not count.
    """

    by: Literal["consent", "silence"]
    at: datetime
    place: int


@dataclass(frozen=True)
class VendorsWord:
    """What the vendor's persons have said, taken together.

    Args:
        consent: the one that binds the vendor; None where none does.
        objects: timely contrary instructions stand.
    """

    consent: Given | None
    objects: bool


@dataclass(frozen=True)
class Decision:
    """The release may be executed.

    Args:
        opening: the round whose one-time key opens the shares.
        confirmations: of k or more different agents, in the order in which they came.
    """

    approval: Approval
    opening: Mark
    confirmations: tuple[Confirmation, ...]


def decide(
    history: History,
    events: Sequence[ChainedEvent],
    terms: Agreement,
    k: int,
    now: datetime,
    rights_at: datetime | None = None,
) -> Decision:
    """Return the decision to release.

    1. The request is open and under these terms. 2. Its recipient counts for its beneficiary.
    3. It is approved, and nothing stands against it. 4. A confirmation round was opened after the
    approval. 5. Confirmations of k different agents, none of a party, say exactly this matter.

    Args:
        history: of the request, from proven events.
        events: the same events; for the heads that agents have seen.
        terms: in force now.
        k: of the epoch whose key is needed.
        now: aware UTC.
        rights_at: the time by which rights may be lost (:mod:`escrow.releases.clocks`); now,
            where nobody outside is asked.

    Raises:
        StepNotPossible, AgreementChanged, RecipientNotPinned, RecipientChanged, NotApproved,
        ObjectionStands, TooFewConfirmations: the answer is no; the class says to which question.
    """
    # 1., 2., 3.
    approval = approval_of(history, terms, rights_at or now)
    # 4.
    opening = next((one for one in reversed(history.openings)), None)
    if opening is None or opening.place < approval.place:
        raise NotApproved("its confirmation is not opened yet")
    # 5.
    matter = matter_of(history, terms, opening)
    counting = _counting(history.confirmations, matter, opening, events, now)
    if len(counting) < max(k, terms.sealing.k):
        raise TooFewConfirmations(len(counting), max(k, terms.sealing.k))
    return Decision(approval, opening, tuple(counting))


def approval_of(history: History, terms: Agreement, now: datetime) -> Approval:
    """Return why the request is approved.

    Args:
        history: of the request.
        terms: in force now.
        now: the time by which the vendor's right to object may have been lost.

    Raises:
        StepNotPossible: it was withdrawn, ended, or is released.
        AgreementChanged: it is under other terms than those in force.
        RecipientNotPinned, RecipientChanged: it names a key that does not count, or not any more.
        NotApproved, ObjectionStands: neither consent nor silence, or a timely objection.
    """
    if history.withdrawals or history.superseded or history.executed:
        raise StepNotPossible("confirm", history.state)
    if history.subject.text_sha256 != terms.text_sha256:
        raise AgreementChanged
    check_recipient(history, terms, now)
    word = vendors_word(history, terms)
    if word.objects:
        raise ObjectionStands
    if word.consent is not None:
        return Approval("consent", word.consent.at, word.consent.place)
    return _by_silence(history, terms, now)


def check_recipient(history: History, terms: Agreement, now: datetime) -> None:
    """Return when the request's recipient counts for the party whose person signed it.

    It has to count when the request was filed, and still now: who writes the entries states the
    first time, and cannot state the second. What came after the intent came too late to matter.

    Args:
        now: the time by which the beneficiary's right to take a change back may have been lost.

    Raises:
        RecipientNotPinned: it did not count then.
        RecipientChanged: the party changed a recipient since, or a change of it came to count.
    """
    filed, organisation = history.request, history.request.signatory.organisation
    intended = min((one.place for one in history.intended), default=None)
    changes = [
        one
        for one in history.changes
        if one.organisation == organisation and (intended is None or one.place < intended)
    ]
    party = terms.party(organisation)
    wanted = history.subject.recipient
    if party is None or wanted not in counting_recipients(party, changes, filed.at).values():
        raise RecipientNotPinned
    if any(one.place > filed.place for one in changes):
        raise RecipientChanged
    if wanted not in counting_recipients(party, changes, now).values():
        raise RecipientChanged


def matter_of(history: History, terms: Agreement, opening: Mark) -> ConfirmationSubject:
    """Return what every agent of this round confirms; the fields of his own are empty."""
    subject = history.subject
    return ConfirmationSubject(
        agreement_id=subject.agreement_id,
        version=subject.version,
        text_sha256=terms.text_sha256,
        request_id=subject.request_id,
        request_act_sha256=history.request.act.sha256,
        condition=history.condition.type,
        bundle=tuple(history.condition.frees),
        recipient=subject.recipient,
        offer_sha256=str(opening.data["offer_sha256"]),
        opened_entry_sha256=opening.entry_sha256,
        ledger_head=opening.entry_sha256,
        expires_at=opening.at,
        shares=(),
    )


def check_confirmation(
    confirmation: Confirmation,
    matter: ConfirmationSubject,
    opening: Mark,
    events: Sequence[ChainedEvent],
    now: datetime,
) -> None:
    """Return when one confirmation counts in this round.

    Raises:
        WrongDoer: not an agent's.
        OtherThanOffered: it says something else.
        ConfirmationOutdated: expired, or its signer had not seen the round's opening.
    """
    if confirmation.given.signatory.role != "agent":
        raise WrongDoer("an agent")
    confirmation.subject.check_same_matter(matter)
    seen = next(
        (
            one.event.sequence
            for one in events
            if one.entry_sha256 == confirmation.subject.ledger_head
        ),
        -1,
    )
    if seen < opening.place or confirmation.subject.expires_at <= now:
        raise ConfirmationOutdated


def periods_of_history(history: History, terms: Agreement) -> Periods | None:
    """Return the periods that the first proven service started; None before."""
    days = [_served_on(one, terms) for one in history.services]
    return periods_of(terms, history.condition, min(days)) if days else None


def service_day(subject: ServiceSubject, terms: Agreement) -> date:
    """Return the day of service by the agreement's rules."""
    return deemed_service(terms, subject.day) if subject.method == "deemed" else subject.day


def check_service_day(subject: ServiceSubject, filed_at: datetime, now: datetime) -> None:
    """Return when the stated day is possible.

    Raises:
        ServiceDayWrong: before the request, or in the future.
    """
    if not filed_at.astimezone(UTC).date() <= subject.day <= now.astimezone(UTC).date():
        raise ServiceDayWrong


def check_evidence(kinds: Sequence[str], wanted: tuple[str, ...]) -> None:
    """Return when at least one paper is of a kind that the condition asks for.

    Raises:
        EvidenceMissing: none is.
    """
    if wanted and not set(kinds) & set(wanted):
        raise EvidenceMissing(wanted)


def is_timely(objection: Given, history: History, terms: Agreement) -> bool:
    """Return whether contrary instructions came while the vendor still had the right to them.

    What comes after the keyholder's intent is late, however soon it comes.
    """
    if any(one.place < objection.place for one in history.intended):
        return False
    consent = vendors_word(history, terms, before=objection.place).consent
    if consent is not None:
        return objection.at <= consent_revocable_until(terms, consent.at)
    periods = periods_of_history(history, terms)
    return periods is None or objection.at <= _ends_at(history, periods)


def vendors_word(history: History, terms: Agreement, before: int | None = None) -> VendorsWord:
    """Return what the vendor has said in the end, or up to a place in the stream.

    A party is bound by one who signs alone, or by two who sign jointly; any one may object. Later
    words replace earlier ones: only a binding consent lifts a timely objection.
    """
    alone = {one.signing_key for one in terms.vendor.persons if one.signs == "single"}
    said = sorted((*history.consents, *history.objections), key=lambda one: one.place)
    consents = {one.place for one in history.consents}
    word, jointly = VendorsWord(None, objects=False), set[str]()
    for one in said:
        if before is not None and one.place >= before:
            break
        if one.place not in consents:
            if is_timely(one, history, terms):
                word, jointly = VendorsWord(None, objects=True), set()
            continue
        jointly.add(one.signatory.signing_key)
        if one.signatory.signing_key in alone or len(jointly) > 1:
            word = VendorsWord(one, objects=False)
    return word


def silence_ends_at(history: History, terms: Agreement) -> datetime | None:
    """Return when the vendor's silence would approve; None while no service is proven."""
    periods = periods_of_history(history, terms)
    return None if periods is None else _ends_at(history, periods)


def _ends_at(history: History, periods: Periods) -> datetime:
    """Return the later of the end that is computed now and the ends that were logged.

    Holiday data changes between versions of the library; no change of it shortens a right.
    """
    logged = [
        end_of(date.fromisoformat(one.logged["objection_last_day"])) for one in history.services[:1]
    ]
    return max(periods.ends_at, *logged)


def _served_on(service: Service, terms: Agreement) -> date:
    return service_day(service.subject, terms)


def _by_silence(history: History, terms: Agreement, now: datetime) -> Approval:
    ends_at = silence_ends_at(history, terms)
    if ends_at is None:
        raise NotApproved("service upon the vendor is not proven")
    # Two clocks: that of whoever asks now, and that of the ledger's entry which says so.
    silence = next((one for one in history.silences if one.at > ends_at), None)
    if now <= ends_at or silence is None:
        raise NotApproved(f"the vendor may object until {ends_at.date().isoformat()}")
    return Approval("silence", ends_at, silence.place)


def _counting(
    confirmations: Sequence[Confirmation],
    matter: ConfirmationSubject,
    opening: Mark,
    events: Sequence[ChainedEvent],
    now: datetime,
) -> list[Confirmation]:
    """Return the first confirmation of each agent that counts in this round."""
    found: dict[str, Confirmation] = {}
    for one in confirmations:
        if one.given.place < opening.place or one.given.signatory.signing_key in found:
            continue
        try:
            check_confirmation(one, matter, opening, events, now)
        except EscrowError:
            # One that expired, or says something else, is none: it must not block the others.
            continue
        found[one.given.signatory.signing_key] = one
    return list(found.values())
