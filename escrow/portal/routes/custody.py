"""Custody: how it stands, and the sessions in which agents show and renew their shares."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from escrow.custody import records
from escrow.custody.answering import item_of
from escrow.custody.errors import NothingToAsk, SessionNotOpen, SessionUnknown
from escrow.custody.reading import shown_acceptances, shown_custody, shown_session
from escrow.evidence.dsse import Envelope
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.ledger.proofs import proof_of
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.finding import check_agreement_allowed
from escrow.portal.problems import documented, documented_change
from escrow.portal.schemas.custody import AnswerBody, SessionBody
from escrow.register.errors import AgreementUnknown

router = APIRouter(tags=["custody"])

KeyParameter = Annotated[str, Query(max_length=60, description="your public signing key")]


@router.get("/agreements/{agreement_id}/custody", responses=documented(403, 404))
def standing(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Show how many agents are known to hold their shares, and what that makes of custody."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_STATUS)
        sessions = [shown_session(session, one.id) for one in records.sessions_of(session, found)]
        return {**shown_custody(session, found, rooms.clock.now()), "sessions": sessions}


@router.get("/agreements/{agreement_id}/panel", responses=documented(403, 404))
def panel(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """List the agreements whose key is dealt to exactly the agents of this one."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.HOLD_CEREMONY)
        return {"items": records.panel_of(session, found), "next": None}


@router.post("/custody/sessions", status_code=201, responses=documented_change(403, 404))
def begin(change: Changing, body: SessionBody) -> Response:
    """Ask the agents to show that they hold their shares, or to give them for a new key."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            wanted = [
                check_agreement_allowed(session, asker, one, Verb.HOLD_CEREMONY)
                for one in body.agreements
            ]
            if body.panel:
                wanted = _panel(session, wanted)
        session_id = rooms.custody.begin(body.purpose, wanted, asker.actor)
        with rooms.database.reading() as session:
            return dict(shown_session(session, session_id))

    return change.perform_repeatable(work)


@router.get("/custody/sessions/{session_id}", responses=documented(403, 404))
def show(rooms: RoomsNeeded, asker: Asker, session_id: str) -> dict[str, object]:
    """Show how far a session has come."""
    with rooms.database.reading() as session:
        _check_allowed(session, asker, session_id, Verb.HOLD_CEREMONY)
        return dict(shown_session(session, session_id))


@router.get("/custody/sessions/{session_id}/challenge", responses=documented(403, 404))
def challenge(
    rooms: RoomsNeeded, asker: Asker, session_id: str, key: KeyParameter
) -> dict[str, object]:
    """Return what an agent's client needs to answer: the proof of the opening, and his shares."""
    with rooms.database.reading() as session:
        _check_allowed(session, asker, session_id, Verb.OPEN_SHARE)
        row = records.session_by_id(session, session_id)
        proof = proof_of(session, row.entry_sha256) if row and row.entry_sha256 else None
        if proof is None:
            raise SessionNotOpen
        items = records.items_of(session, session_id)
        return {
            "session_id": session_id,
            "opened": proof.to_json(),
            "items": [item_of(one).to_json() for one in items],
            "acceptances": shown_acceptances(session, [item_of(one) for one in items], key),
            "shares": _shares(session, session_id, key),
        }


@router.post(
    "/custody/sessions/{session_id}/answers", status_code=201, responses=documented_change(403, 404)
)
def answer(change: Changing, session_id: str, body: AnswerBody) -> Response:
    """Take an agent's answer, signed once for all agreements of the session."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            _check_allowed(session, asker, session_id, Verb.OPEN_SHARE)
        rooms.custody.answer(session_id, Envelope.from_json(body.envelope), body.to_document())
        with rooms.database.reading() as session:
            return dict(shown_session(session, session_id))

    return change.perform_repeatable(work)


@router.post(
    "/custody/sessions/{session_id}/carry-out",
    status_code=201,
    responses=documented_change(403, 404),
)
def carry_out(change: Changing, session_id: str) -> Response:
    """Have a session carried out with the shares that were given, whoever is missing."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            _check_allowed(session, asker, session_id, Verb.HOLD_CEREMONY)
        rooms.custody.carry_out(session_id)
        with rooms.database.reading() as session:
            return dict(shown_session(session, session_id))

    return change.perform_repeatable(work)


def _panel(session: Session, wanted: Sequence[AgreementId]) -> list[AgreementId]:
    if len(wanted) != 1:
        raise NothingToAsk("a panel is named by one of its agreements")
    # Whoever may ask these agents under one agreement asks for nothing more under another: no
    # session shows him what it is, or opens anything to him.
    return [AgreementId(one) for one in records.panel_of(session, wanted[0])]


def _check_allowed(session: Session, asker: Principal, session_id: str, verb: Verb) -> None:
    """Return when the asker may do this to a session: he may under its first agreement.

    All agreements of a session have the same agents, and nobody else answers it.

    Raises:
        SessionUnknown: there is none for him.
        NotAllowed, TokenLacksVerb: it is his to see, and he may not do this.
    """
    first = records.item(session, session_id, 0)
    if first is None:
        raise SessionUnknown
    try:
        check_agreement_allowed(session, asker, first.agreement_id, verb)
    except AgreementUnknown:
        raise SessionUnknown from None


def _shares(session: Session, session_id: str, key: str) -> list[dict[str, object]]:
    return [
        {
            "place": place,
            "index": one.index,
            "recipient": one.share_recipient,
            "file": base64.b64encode(one.share_file).decode(),
        }
        for place, one in records.shares_in_session(session, session_id, key)
    ]
