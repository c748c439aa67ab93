"""Release requests: filed, acted upon, confirmed; and what a release hands over."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from agreements.requests import State
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.errors import Unavailable
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.chains import read_chain
from escrow.parties import records as parties
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.finding import check_agreement_allowed
from escrow.portal.handing_out import handed_out_with_proof
from escrow.portal.problems import documented, documented_change
from escrow.portal.rooms import Rooms
from escrow.portal.routes.agreements import list_visible
from escrow.portal.schemas.releases import ActBody, ConfirmationBody
from escrow.register.errors import AgreementUnknown
from escrow.register.reading import text_of
from escrow.releases import records
from escrow.releases.acting import file_request, take_act
from escrow.releases.errors import (
    FileUnknown,
    NotReleased,
    PaperUnknown,
    RequestUnknown,
    StepNotPossible,
)
from escrow.releases.handover import (
    age_file,
    age_file_size,
    image_archive,
    package_index,
    packaged,
)
from escrow.releases.reading import OpenedRequest, open_request
from escrow.vault import records as vault

router = APIRouter(tags=["releases"])


@router.post(
    "/agreements/{agreement_id}/requests", status_code=201, responses=documented_change(403, 404)
)
def file(change: Changing, agreement_id: str, body: ActBody) -> Response:
    """File a release request that a person of the beneficiary signed; its papers come with it."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.writing() as session:
            found = check_agreement_allowed(session, asker, agreement_id, Verb.ACT_ON_REQUEST)
            envelope, papers = Envelope.from_json(body.envelope), body.to_papers()
            filed = file_request(session, found, envelope, papers, rooms.scribe, rooms.clock)
        return _moved_on(rooms, filed)

    return change.perform_repeatable(work)


@router.get("/requests", responses=documented())
def list_all(rooms: RoomsNeeded, asker: Asker) -> dict[str, object]:
    """List the release requests under the asker's agreements, newest first."""
    with rooms.database.reading() as session:
        agreements = [view.agreement_id for view in list_visible(session, asker)]
        rows = records.requests_of(session, agreements)
    return {"items": [_row(row) for row in rows], "next": None}


@router.get("/requests/{request_id}", responses=documented(403, 404))
def show(rooms: RoomsNeeded, asker: Asker, request_id: str) -> dict[str, object]:
    """Show a request: what has happened, what happens next, when, and by whom."""
    with rooms.database.reading() as session:
        opened = _find(session, asker, request_id, Verb.READ_REQUEST)
        return _described(session, opened)


@router.post("/requests/{request_id}/acts", status_code=201, responses=documented_change(403, 404))
def act(change: Changing, request_id: str, body: ActBody) -> Response:
    """Take an act on a request, signed with the key that the agreement pins for its person."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.writing() as session:
            found = _find(session, asker, request_id, Verb.ACT_ON_REQUEST).id
            envelope, papers = Envelope.from_json(body.envelope), body.to_papers()
            take_act(session, found, envelope, papers, rooms.scribe, rooms.clock)
        return _moved_on(rooms, found)

    return change.perform_repeatable(work)


@router.get("/requests/{request_id}/papers/{sha256}", responses=documented(403, 404))
def paper(rooms: RoomsNeeded, asker: Asker, request_id: str, sha256: str) -> Response:
    """Return a paper as it was sent; nothing of it is rendered."""
    with rooms.database.reading() as session:
        found = _find(session, asker, request_id, Verb.ACT_ON_REQUEST)
        row = records.paper(session, found.id, sha256)
    if row is None:
        raise PaperUnknown
    # A party's bytes are never shown by a browser as if they were ours.
    return Response(
        row.content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name)}",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.get("/requests/{request_id}/confirmation", responses=documented(403, 404, 409))
def confirmation(rooms: RoomsNeeded, asker: Asker, request_id: str) -> dict[str, object]:
    """Return all that an agent's client checks and signs: texts, history, offer, shares."""
    with rooms.database.reading() as session:
        opened = _find(session, asker, request_id, Verb.CONFIRM_RELEASE)
        round_ = vault.newest_round(session, opened.id)
        chain = read_chain(session, opened.stream)
        if opened.history.state is not State.CONFIRMING or round_ is None or chain is None:
            raise StepNotPossible("confirm", opened.history.state)
        versions = range(1, (opened.in_force or 0) + 1)
        return {
            "request_id": opened.id,
            "agreement_id": opened.agreement_id,
            "texts": {str(one): text_of(session, opened.agreement_id, one) for one in versions},
            "chain": chain.to_json(),
            "offer": base64.b64encode(round_.offer).decode(),
            "shares": _own_shares(session, asker, opened, round_.epoch),
        }


@router.post(
    "/requests/{request_id}/confirmations",
    status_code=201,
    responses=documented_change(403, 404),
)
def confirm(change: Changing, request_id: str, body: ConfirmationBody) -> Response:
    """Take an agent's confirmation and his sealed share; the last one needed releases."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            found = _find(session, asker, request_id, Verb.CONFIRM_RELEASE).id
        envelope = Envelope.from_json(body.envelope)
        rooms.driver.take(found, envelope, [one.to_share() for one in body.shares])
        return _moved_on(rooms, found)

    return change.perform_repeatable(work)


@router.get("/requests/{request_id}/release", responses=documented(403, 404, 409))
def release(rooms: RoomsNeeded, asker: Asker, request_id: str) -> dict[str, object]:
    """List what a release hands over; for the organisation that filed the request alone."""
    with rooms.database.reading() as session:
        found = _own_release(session, asker, request_id)
        offer, deposits = packaged(session, found)
        certificate = _certificate(session, rooms, found)
    return package_index(offer, deposits, certificate)


@router.get("/requests/{request_id}/certificate", responses=documented(403, 404, 409))
def certificate(rooms: RoomsNeeded, asker: Asker, request_id: str) -> dict[str, object]:
    """Return the signed certificate of a release; every party may have it."""
    with rooms.database.reading() as session:
        found = _find(session, asker, request_id, Verb.READ_REQUEST)
        document = _certificate(session, rooms, found.id)
    if document is None:
        raise NotReleased
    return document


@router.get("/requests/{request_id}/files/{file_id}", responses=documented(403, 404, 409))
def fetch(rooms: RoomsNeeded, asker: Asker, request_id: str, file_id: str) -> Response:
    """Stream one age file: the release's header, then the payload as it was stored.

    The last piece is withheld when the payload does not have its digest.
    """
    with rooms.database.reading() as session:
        found = _own_release(session, asker, request_id)
        size = age_file_size(session, found, file_id, rooms.blobs)
        pieces: Iterator[bytes] = age_file(session, found, file_id, rooms.blobs)
    headers = {"Content-Length": str(size), "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="application/age", headers=headers)


@router.get("/requests/{request_id}/images/{sha256}", responses=documented(403, 404, 409))
def fetch_image(rooms: RoomsNeeded, asker: Asker, request_id: str, sha256: str) -> Response:
    """Stream the archive of a builder image that a recovery kit of the release needs.

    It is not sealed: nothing of a vendor is in it. The last piece is withheld when it is damaged.
    """
    with rooms.database.reading() as session:
        found = _own_release(session, asker, request_id)
        size, pieces = image_archive(session, found, sha256, rooms.blobs)
    headers = {"Content-Length": str(size), "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="application/zstd", headers=headers)


def _moved_on(rooms: Rooms, request_id: RequestId) -> dict[str, object]:
    with contextlib.suppress(Unavailable):
        # The act stands whoever is away now; the upkeep moves the request on.
        rooms.driver.push_on(request_id)
    with rooms.database.reading() as session:
        return _described(session, open_request(session, request_id))


def _find(session: Session, asker: Principal, request_id: str, verb: Verb) -> OpenedRequest:
    """Return a request under an agreement of the asker's.

    Raises:
        RequestUnknown: there is none for him.
        NotAllowed, TokenLacksVerb: he sees it, and may not do this.
    """
    row = records.request_by_id(session, RequestId(request_id))
    if row is None:
        raise RequestUnknown
    try:
        check_agreement_allowed(session, asker, row.agreement_id, verb)
    except AgreementUnknown:
        raise RequestUnknown from None
    return open_request(session, RequestId(row.id))


def _own_release(session: Session, asker: Principal, request_id: str) -> RequestId:
    """Return the id of a request that the asker's own organisation filed.

    Raises:
        FileUnknown: another beneficiary's, which looks as if there were nothing.
        NotReleased: nothing was released yet.
    """
    opened = _find(session, asker, request_id, Verb.FETCH_RELEASE)
    own = parties.organisation(session, asker.organisation_id)
    if own is None or own.slug != opened.row.organisation:
        raise FileUnknown
    if not opened.history.executed:
        raise NotReleased
    return opened.id


def _own_shares(
    session: Session, asker: Principal, opened: OpenedRequest, epoch: int
) -> list[dict[str, object]]:
    member = parties.member(session, asker.member_id) if asker.member_id else None
    email = member.email if member else None
    keys = {one.signing_key for one in opened.terms.agents if one.email.lower() == email}
    return [
        {
            "epoch": epoch,
            "index": row.index,
            "recipient": row.share_recipient,
            "file": base64.b64encode(row.share_file).decode(),
        }
        for row in vault.shares_of(session, opened.agreement_id, epoch)
        if row.signing_key in keys
    ]


def _certificate(session: Session, rooms: Rooms, request_id: RequestId) -> dict[str, object] | None:
    row = records.certificate_of(session, request_id)
    request = records.request_by_id(session, request_id)
    if row is None or request is None:
        return None
    under = AgreementId(request.agreement_id)
    return handed_out_with_proof(session, rooms, row.document, row.entry_sha256, under)


def _row(row: records.ReleaseRequestRow) -> dict[str, object]:
    return {
        "id": row.id,
        "agreement_id": row.agreement_id,
        "condition": row.condition,
        "organisation": row.organisation,
        "state": row.state,
        "filed_at": rfc3339(row.filed_at),
    }


def _described(session: Session, opened: OpenedRequest) -> dict[str, object]:
    history, due = opened.history, opened.due()
    served = [one.logged for one in history.services[:1]]
    opening = history.openings[-1].place if history.openings else -1
    confirmed = [
        {"name": one.given.signatory.name, "at": rfc3339(one.given.at)}
        for one in history.confirmations
        if one.given.place > opening
    ]
    is_over = history.state in (State.EXECUTING, State.RELEASED)
    return {
        **_row(opened.row),
        "state": history.state,
        "version": opened.row.version,
        "request_act_sha256": history.request.act.sha256,
        "bundle": list(history.condition.frees),
        "recipient": history.subject.recipient,
        "filed_by": history.request.signatory.name,
        "served": [
            {name: one.get(name) for name in ("served_on", "cure_last_day", "objection_last_day")}
            for one in served
        ],
        "consents": [rfc3339(one.at) for one in history.consents],
        "objections": [rfc3339(one.at) for one in history.objections],
        "next": opened.next_sentence(),
        "due": {"what": due[0], "at": rfc3339(due[1])} if due else None,
        "confirmations_needed": opened.terms.sealing.k,
        # Blind until complete: an agent decides for himself.
        "confirmations": confirmed if is_over else [],
        "confirmations_given": len(confirmed),
        "payloads_read": [
            {"occasion": one.occasion, "damaged": one.damaged}
            for one in records.rereadings_of(session, opened.id)
        ],
        "papers": [
            {"kind": one.kind, "name": one.name, "sha256": one.sha256, "bytes": len(one.content)}
            for one in records.papers_of(session, opened.id)
        ],
    }
