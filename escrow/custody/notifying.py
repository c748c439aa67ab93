"""Whom a session, a new key and a shrinking custody are told to; each once."""

from __future__ import annotations

from datetime import datetime

from agreements.terms import Agreement
from escrow.custody import records
from escrow.custody.reading import parts_not_opening, view_of_custody
from escrow.custody.sessions import ANSWERING_TIME
from escrow.custody.standing import GRACE, Standing
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.notices.readers import everybody, letters_to, short_of
from escrow.register.reading import read_version
from escrow.vault import records as vault

_KIND_OF = {Standing.ALARM: Kind.CUSTODY_ALARM, Standing.IMPAIRED: Kind.CUSTODY_IMPAIRED}


def tell_of_session(session: Session, scribe: Scribe, session_id: str, now: datetime) -> None:
    """Ask each agent by mail, and once more at half-time those who have not answered.

    Of a panel's many agreements the first stands for all: one mail, not thousands.
    """
    row = records.session_by_id(session, session_id)
    items = records.items_of(session, session_id)
    if row is None or row.ends_at is None or not items:
        return
    agreement_id = AgreementId(items[0].agreement_id)
    terms = _terms_dealt_to(session, agreement_id, items[0].epoch)
    answered = {one.signing_key for one in records.answers_of(session, session_id)}
    is_late = now >= row.ends_at - ANSWERING_TIME / 2
    for agent in terms.agents:
        if agent.signing_key in answered:
            continue
        for word in ("asked", *(["reminded"] if is_late else [])):
            notice = NoticeToSend(
                key=f"{session_id}:{word}:{short_of(agent.email)}",
                kind=Kind.CUSTODY_SESSION_OPEN,
                reader=Reader.AGENT,
                to=agent.email,
                agreement_id=agreement_id,
                last_day=LastDay(row.ends_at.date()),
                path=f"/api/v1/custody/sessions/{session_id}",
                language=terms.language,
            )
            outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def tell_of_keys(session: Session, scribe: Scribe, session_id: str, now: datetime) -> None:
    """Tell the agents of a new key that its canary is to be opened."""
    done = [one for one in records.items_of(session, session_id) if one.done_at is not None]
    if not done:
        return
    agreement_id = AgreementId(done[0].agreement_id)
    terms = _terms_dealt_to(session, agreement_id, done[0].fresh_epoch or 0)
    for agent in terms.agents:
        notice = NoticeToSend(
            key=f"{session_id}:dealt:{short_of(agent.email)}",
            kind=Kind.CEREMONY_NEEDED,
            reader=Reader.AGENT,
            to=agent.email,
            agreement_id=agreement_id,
            language=terms.language,
        )
        outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def tell_of_standing(
    session: Session, scribe: Scribe, agreement_id: AgreementId, now: datetime
) -> None:
    """Tell the agents when a session is due, and everybody when too few hold their shares.

    Each once: for a due date, and for a standing of an epoch.
    """
    view = view_of_custody(session, agreement_id, now)
    if view is None:
        return
    if view.overdue and view.due_at is not None:
        _tell_of_due(session, scribe, agreement_id, view.epoch, view.due_at, now)
    if view.standing not in _KIND_OF:
        return
    terms = _terms_dealt_to(session, agreement_id, view.epoch)
    letters = letters_to(
        everybody(terms),
        terms,
        agreement_id,
        about=f"{agreement_id}:{view.standing}:{view.epoch}",
        kind=_KIND_OF[view.standing],
        path=f"/api/v1/agreements/{agreement_id}/custody",
    )
    for notice in letters:
        outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def tell_of_not_opening(
    session: Session, scribe: Scribe, agreement_id: AgreementId, now: datetime
) -> None:
    """Tell everybody of each client-sealed part that does not open, once."""
    for _, part_id in parts_not_opening(session, agreement_id):
        terms, _ = read_version(session, agreement_id, None)
        letters = letters_to(
            everybody(terms),
            terms,
            agreement_id,
            about=f"{agreement_id}:not-opening:{part_id}",
            kind=Kind.DEPOSIT_NOT_OPENING,
            path=f"/api/v1/agreements/{agreement_id}/custody",
        )
        for notice in letters:
            outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def _tell_of_due(
    session: Session,
    scribe: Scribe,
    agreement_id: AgreementId,
    epoch: int,
    due_at: datetime,
    now: datetime,
) -> None:
    terms = _terms_dealt_to(session, agreement_id, epoch)
    for address in dict.fromkeys(agent.email for agent in terms.agents):
        notice = NoticeToSend(
            key=f"{agreement_id}:due:{due_at.date()}:{short_of(address)}",
            kind=Kind.CUSTODY_DUE,
            reader=Reader.AGENT,
            to=address,
            agreement_id=agreement_id,
            last_day=LastDay((due_at + GRACE).date()),
            path=f"/api/v1/agreements/{agreement_id}/custody",
            language=terms.language,
        )
        outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def _terms_dealt_to(session: Session, agreement_id: AgreementId, epoch: int) -> Agreement:
    row = vault.epoch_of(session, agreement_id, epoch)
    return read_version(session, agreement_id, row.agreement_version if row else None)[0]
