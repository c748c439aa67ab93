"""Who is told of a step on a request, posted into the outbox in the transaction of the step.

A notice refers; it starts no clock and proves nothing. Every contact that the agreement names for
a party is told, and every agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from agreements.requests import NOTIFIED, Step
from agreements.terms import Agreement, Party
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.releases import records

# Steps that nobody is told of by mail have none.
KIND_OF: Mapping[Step, Kind] = {
    Step.FILE: Kind.RELEASE_REQUEST_FILED,
    Step.SERVE: Kind.SERVICE_STATED,
    Step.SERVE_CURABLE: Kind.CURE_PERIOD_BEGUN,
    Step.END_CURE: Kind.OBJECTION_PERIOD_BEGUN,
    Step.CONSENT: Kind.CONSENT_GIVEN,
    Step.OBJECT: Kind.CONTRARY_INSTRUCTIONS_FILED,
    Step.OBJECT_LATE: Kind.LATE_INSTRUCTIONS_FILED,
    Step.FALL_SILENT: Kind.REQUEST_APPROVED,
    Step.WITHDRAW: Kind.REQUEST_WITHDRAWN,
    Step.OPEN_CONFIRMATION: Kind.CONFIRMATION_OPEN,
    Step.EXECUTE: Kind.RELEASE_EXECUTED,
    Step.SUPERSEDE: Kind.REQUEST_VOIDED,
}

_READERS = {
    "vendor": Reader.VENDOR,
    "beneficiary": Reader.BENEFICIARY,
    "agents": Reader.AGENT,
}


def notify(
    session: Session,
    scribe: Scribe,
    row: records.ReleaseRequestRow,
    terms: Agreement,
    step: Step,
    place: int,
    now: datetime,
    days: Mapping[str, Any] | None = None,
) -> None:
    """Post the notices of a step; the same step again posts nothing new.

    Args:
        place: of the step's event in the agreement's stream; tells two equal steps apart.
        days: what was computed from a service, where the step has to do with it.
    """
    for reader in NOTIFIED[step]:
        for address in _addresses(reader, terms, row.organisation):
            notice = NoticeToSend(
                key=f"{row.id}:{step}:{place}:{reader}:{sha256_hex(address.encode())[:16]}",
                kind=KIND_OF[step],
                reader=_READERS[reader],
                to=address,
                agreement_id=AgreementId(row.agreement_id),
                request_id=row.id,
                last_day=_last_day(step, days or {}),
                path=f"/api/v1/requests/{row.id}",
                language=terms.language,
            )
            outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def _addresses(reader: str, terms: Agreement, organisation: str) -> Iterator[str]:
    if reader == "agents":
        yield from (agent.email for agent in terms.agents)
        return
    party: Party | None = terms.vendor if reader == "vendor" else terms.party(organisation)
    if party is not None:
        yield from dict.fromkeys(contact.email for contact in party.contacts)


def _last_day(step: Step, days: Mapping[str, Any]) -> LastDay | None:
    if step is Step.SERVE_CURABLE:
        return LastDay(date.fromisoformat(days["cure_last_day"]))
    if step in (Step.SERVE, Step.END_CURE):
        return LastDay(date.fromisoformat(days["objection_last_day"]), days["calendar"])
    return None
