"""Beneficiaries' recipients are proven again each year, or everybody hears that they are not.

A key that opened its canary once may be lost by the day on which it matters. A month before a
proof is a year old a fresh canary is sealed, and the beneficiary asked to open it; from the day on
which it is a year old status says that a release would be unreadable. It never blocks one: what is
sealed to a lost key is no worse than nothing, and the beneficiary may have his other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agreements.terms import Agreement
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.register import records
from escrow.register.changes import RecipientChange, counting_recipients
from escrow.register.inforce import version_in_force
from escrow.register.reading import changes_of
from escrow.register.recipients import seal_canary

# A year: staff and machines change in one, and nobody should be asked more often.
PROOF_LIFETIME = timedelta(days=365)
# Holidays are shorter.
ASKED_BEFORE = timedelta(days=30)

UNREADABLE = "a release would be unreadable"


@dataclass(frozen=True)
class RecipientProof:
    """How old the last proof of one recipient is.

    Args:
        waits: a fresh canary is sealed to it and not opened yet.
    """

    organisation: str
    kind: str
    recipient: str
    proven_at: datetime
    waits: bool

    @property
    def due_at(self) -> datetime:
        """When the proof is too old to be relied on."""
        return self.proven_at + PROOF_LIFETIME

    def is_asked_for(self, now: datetime) -> bool:
        """Tell whether it is to be proven again from now on."""
        return now >= self.due_at - ASKED_BEFORE

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the proof is a year old."""
        return now >= self.due_at


def proofs_of(
    terms: Agreement,
    canaries: Sequence[records.RecipientCanaryRow],
    changes: Sequence[RecipientChange],
    now: datetime,
) -> list[RecipientProof]:
    """Return the newest proof of every counting recipient that was proven once; pure.

    Args:
        canaries: of the agreement, oldest first.
        changes: of its recipients.
    """
    found = []
    for party in terms.beneficiaries:
        for kind, recipient in counting_recipients(party, changes, now).items():
            rows = [row for row in canaries if row.recipient == recipient]
            proven = [row.proven_at for row in rows if row.proven_at is not None]
            if proven:
                waits = rows[-1].proven_at is None
                found.append(
                    RecipientProof(party.organisation, kind, recipient, max(proven), waits)
                )
    return found


def _proofs(
    session: Session, agreement_id: AgreementId, terms: Agreement, now: datetime
) -> list[RecipientProof]:
    changes = changes_of(session, agreement_id, terms)
    return proofs_of(terms, records.canaries_of(session, agreement_id), changes, now)


def alarms_of(session: Session, agreement_id: AgreementId, now: datetime) -> list[str]:
    """Return a sentence for each recipient in force whose proof is overdue.

    Raises:
        AgreementTextTampered: the stored text lost its digest.
    """
    if records.version_in_force(session, agreement_id) is None:
        return []
    terms, _ = version_in_force(session, agreement_id)
    return [
        f"The {one.kind} recipient of {one.organisation} was last proven on "
        f"{one.proven_at.date()}: {UNREADABLE} if its key is lost."
        for one in _proofs(session, agreement_id, terms, now)
        if one.is_overdue(now)
    ]


def keep_proofs_current(session: Session, scribe: Scribe, now: datetime) -> None:
    """Seal fresh canaries where a proof is about to age, and tell who has to know; repeatable.

    Raises:
        AgreementTextTampered: a stored text lost its digest.
    """
    for agreement_id in records.agreements_proven_before(
        session, now - PROOF_LIFETIME + ASKED_BEFORE
    ):
        if records.version_in_force(session, agreement_id) is None:
            continue
        terms, _ = version_in_force(session, agreement_id)
        for one in _proofs(session, agreement_id, terms, now):
            if one.is_asked_for(now):
                _ask(session, scribe, agreement_id, terms, one, now)


def _ask(
    session: Session,
    scribe: Scribe,
    agreement_id: AgreementId,
    terms: Agreement,
    proof: RecipientProof,
    now: datetime,
) -> None:
    if not proof.waits:
        row = seal_canary(agreement_id, proof.organisation, proof.kind, proof.recipient, now)
        records.add(session, row)
    told: list[tuple[Kind, Reader, str]] = [
        (Kind.RECIPIENT_PROOF_DUE, reader, to)
        for reader, to in _readers(terms, proof.organisation)
        if reader is Reader.BENEFICIARY
    ]
    if proof.is_overdue(now):
        told += [
            (Kind.RECIPIENT_UNPROVEN, reader, to)
            for reader, to in _readers(terms, proof.organisation)
        ]
    # One notice for each proof that ages; the next year's has another day.
    about = f"{_short(proof.recipient)}:{proof.due_at.date()}"
    for kind, reader, to in told:
        notice = NoticeToSend(
            key=f"{agreement_id}:{kind}:{about}:{reader}:{_short(to)}",
            kind=kind,
            reader=reader,
            to=to,
            agreement_id=agreement_id,
            last_day=LastDay(proof.due_at.date()) if kind is Kind.RECIPIENT_PROOF_DUE else None,
            path=f"/api/v1/agreements/{agreement_id}",
            language=terms.language,
        )
        outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def _readers(terms: Agreement, organisation: str) -> Iterator[tuple[Reader, str]]:
    """Yield the agents, the vendor, and the beneficiary whose recipient it is."""
    yield from _once(Reader.AGENT, (agent.email for agent in terms.agents))
    yield from _once(Reader.VENDOR, (contact.email for contact in terms.vendor.contacts))
    for party in terms.beneficiaries:
        if party.organisation == organisation:
            yield from _once(Reader.BENEFICIARY, (contact.email for contact in party.contacts))


def _once(reader: Reader, addresses: Iterable[str]) -> Iterator[tuple[Reader, str]]:
    yield from ((reader, one) for one in dict.fromkeys(addresses))


def _short(text: str) -> str:
    return sha256_hex(text.encode())[:16]
