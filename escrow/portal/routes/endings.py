"""Endings: holds, withdrawals, destructions; each moved by signed acts alone."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from escrow.endings import records
from escrow.endings.acting import take_act
from escrow.endings.errors import (
    EndingStepNotPossible,
    EndingUnknown,
    NotDestroyed,
)
from escrow.endings.reading import OpenedEnding, open_ending
from escrow.endings.rules import quarantine_ends_at
from escrow.endings.states import NEXT, Kind, State, Step
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.errors import Unavailable
from escrow.ledger.chains import read_chain
from escrow.ledger.events import Stream
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.finding import check_agreement_allowed, find_product
from escrow.portal.handing_out import handed_out_with_proof
from escrow.portal.problems import documented, documented_change
from escrow.portal.rooms import Rooms
from escrow.portal.schemas.releases import ActBody
from escrow.register.errors import AgreementUnknown
from escrow.register.reading import text_of
from escrow.releases.errors import PaperUnknown
from escrow.vault.shreds import records as shreds

router = APIRouter(tags=["endings"])


@router.post(
    "/agreements/{agreement_id}/endings", status_code=201, responses=documented_change(403, 404)
)
def act(change: Changing, agreement_id: str, body: ActBody) -> Response:
    """Take a signed act that begins an ending, or that is about one; its papers come with it."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.writing() as session:
            found = check_agreement_allowed(session, asker, agreement_id, Verb.ACT_ON_ENDING)
            envelope, papers = Envelope.from_json(body.envelope), body.to_papers()
            ending_id = take_act(session, found, envelope, papers, rooms.scribe, rooms.clock)
        return _moved_on(rooms, ending_id)

    return change.perform_repeatable(work)


@router.get("/agreements/{agreement_id}/endings", responses=documented(403, 404))
def list_all(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """List the holds, withdrawals and destructions of an agreement, newest first."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_ENDING)
        rows = records.endings_of(session, found)
    return {"items": [_row(row) for row in rows], "next": None}


@router.get("/endings/{ending_id}", responses=documented(403, 404))
def show(rooms: RoomsNeeded, asker: Asker, ending_id: str) -> dict[str, object]:
    """Show an ending: what has happened, what happens next, and what ciphertext is left."""
    with rooms.database.reading() as session:
        return _described(session, _find(session, asker, ending_id, Verb.READ_ENDING))


@router.get("/endings/{ending_id}/papers/{sha256}", responses=documented(403, 404))
def paper(rooms: RoomsNeeded, asker: Asker, ending_id: str, sha256: str) -> Response:
    """Return a paper as it was sent; nothing of it is rendered."""
    with rooms.database.reading() as session:
        found = _find(session, asker, ending_id, Verb.ACT_ON_ENDING)
        row = records.paper(session, found.ending.id, sha256)
    if row is None:
        raise PaperUnknown
    return Response(
        row.content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name)}",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get("/endings/{ending_id}/confirmation", responses=documented(403, 404, 409))
def confirmation(rooms: RoomsNeeded, asker: Asker, ending_id: str) -> dict[str, object]:
    """Return all that an agent's client checks before it signs: texts and proven history."""
    with rooms.database.reading() as session:
        opened = _find(session, asker, ending_id, Verb.CONFIRM_DESTRUCTION)
        agreement_id = opened.sight.agreement_id
        chain = read_chain(session, Stream("agreement", agreement_id))
        if opened.ending.state is not State.CONFIRMING or chain is None:
            raise EndingStepNotPossible(Step.CONFIRM, opened.ending.state)
        versions = range(1, opened.sight.version + 1)
        texts = {str(one): text_of(session, agreement_id, one) for one in versions}
    return {
        "ending_id": opened.ending.id,
        "agreement_id": agreement_id,
        "texts": texts,
        "chain": chain.to_json(),
    }


@router.get("/endings/{ending_id}/certificate", responses=documented(403, 404, 409))
def certificate(rooms: RoomsNeeded, asker: Asker, ending_id: str) -> dict[str, object]:
    """Return the signed certificate of a destruction; every party may have it."""
    with rooms.database.reading() as session:
        found = _find(session, asker, ending_id, Verb.READ_ENDING)
        row = records.certificate_of(session, found.ending.id)
        if row is None:
            raise NotDestroyed
        under = found.sight.agreement_id
        return handed_out_with_proof(session, rooms, row.document, row.entry_sha256, under)


@router.get("/products/{vendor}/{product}/retention", responses=documented(403, 404))
def retention(rooms: RoomsNeeded, asker: Asker, vendor: str, product: str) -> dict[str, object]:
    """List the deposits that retention would drop now; drops nothing."""
    with rooms.database.reading() as session:
        found = find_product(session, asker, vendor, product, Verb.READ_STATUS)
    return {"items": [{"deposit_id": one} for one in rooms.endings.droppable(found.id)]}


def _moved_on(rooms: Rooms, ending_id: str) -> dict[str, object]:
    with contextlib.suppress(Unavailable):
        # The act stands whoever is away now; the upkeep moves the ending on.
        rooms.endings.push_on(ending_id)
    with rooms.database.reading() as session:
        return _described(session, open_ending(session, ending_id))


def _find(session: Session, asker: Principal, ending_id: str, verb: Verb) -> OpenedEnding:
    """Return an ending under an agreement of the asker's.

    Raises:
        EndingUnknown: there is none for him.
        NotAllowed, TokenLacksVerb: he sees it, and may not do this.
    """
    row = records.ending_by_id(session, ending_id)
    if row is None:
        raise EndingUnknown
    try:
        check_agreement_allowed(session, asker, row.agreement_id, verb)
    except AgreementUnknown:
        raise EndingUnknown from None
    return open_ending(session, row.id)


def _row(row: records.EndingRow) -> dict[str, object]:
    return {
        "id": row.id,
        "kind": row.kind,
        "agreement_id": row.agreement_id,
        "deposit_id": row.deposit_id,
        "organisation": row.organisation,
        "state": row.state,
        "filed_at": rfc3339(row.filed_at),
    }


def _described(session: Session, opened: OpenedEnding) -> dict[str, object]:
    ending, sight = opened.ending, opened.sight
    is_waiting = ending.kind is Kind.WITHDRAWAL and ending.state is State.QUARANTINED
    return {
        **_row(opened.row),
        "state": ending.state,
        "version": ending.version,
        "opening_act_sha256": ending.opening.act.sha256,
        "filed_by": ending.opening.signatory.name,
        "next": NEXT[ending.state],
        "shredded_after": rfc3339(quarantine_ends_at(sight, ending)) if is_waiting else None,
        "confirmations_needed": sight.terms.sealing.k if ending.kind is Kind.DESTRUCTION else 0,
        "confirmations_given": len(ending.given(Step.CONFIRM)),
        "papers": [
            {"kind": one.kind, "name": one.name, "sha256": one.sha256, "bytes": len(one.content)}
            for one in records.papers_of(session, ending.id)
        ],
        "payloads": [
            {
                "sha256": one.payload_sha256,
                "removed_at": rfc3339(one.removed_at) if one.removed_at else None,
                "locked_until": rfc3339(one.locked_until) if one.locked_until else None,
            }
            for one in shreds.doomed_by(session, ending.id)
        ],
    }
