"""Deposits: opened, finished, given up, listed; their receipts."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from escrow.deposits import records
from escrow.deposits.drafts import CLIENT_SEALED, StoredDeposit
from escrow.deposits.errors import DepositUnfinished, DepositUnknown
from escrow.endings.states import State
from escrow.evidence.receipts import NOT_VERIFIABLE
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ProductId
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, Changing, Number, RoomsNeeded, tagged
from escrow.portal.finding import agreements_between, find_deposit, find_product
from escrow.portal.handing_out import agreements_read_under, handed_out
from escrow.portal.problems import documented, documented_change, problem_headers
from escrow.portal.routes.standing import class_of, reports_for, standing_of
from escrow.portal.standing_answers import HOLDS_UNTIL
from escrow.vault.storage.records import copies_of
from escrow.verification.status import show_standing

router = APIRouter(tags=["deposits"])

# A page of deposits; a cursor gives the next.
PAGE_DEPOSITS = 50

NEWEST = "newest"

_FOR_ANOTHER = "Its vendor sealed it himself, for another agreement; it does not serve yours."

_MAY_WAIT: Mapping[int | str, dict[str, object]] = {
    202: {"description": "Stored and logged; its receipt follows. Call again to learn when."}
}


@router.post(
    "/products/{vendor}/{product}/deposits", status_code=201, responses=documented_change(403, 404)
)
def begin(change: Changing, vendor: str, product: str) -> Response:
    """Open a draft that gathers parts."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            found = find_product(session, asker, vendor, product, Verb.DEPOSIT)
        opened = rooms.intake.open_deposit(
            found.id, via="upload", token_id=asker.token_id, actor=asker.actor
        )
        return {
            "id": opened.id,
            "state": "open",
            "uploads_url": f"{rooms.public_url}/api/v1/deposits/{opened.id}/uploads",
        }

    return change.perform_repeatable(work)


@router.post(
    "/deposits/{deposit_id}/finish",
    status_code=200,
    responses={**_MAY_WAIT, **documented_change(403, 404)},
)
def finish(change: Changing, deposit_id: str) -> Response:
    """Seal the draft for good; a second time changes nothing, and completes what had to wait.

    With 202 and ``"receipt": "pending"`` the deposit is there, and its receipt follows by itself.
    """
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            find_deposit(session, asker, deposit_id, Verb.DEPOSIT)
        return _finished(rooms.intake.finish(DepositId(deposit_id), asker.actor), "made")

    try:
        return change.perform_repeatable(work, status=200)
    except DepositUnfinished as waits:
        # Not remembered under the caller's Idempotency-Key: the next call is to find the receipt.
        document = _finished(waits.stored, "pending") | {
            "because": waits.reason,
            "remedy": waits.remedy,
        }
        return JSONResponse(document, status_code=202, headers=problem_headers(waits))


@router.delete("/deposits/{deposit_id}", status_code=200, responses=documented_change(403, 404))
def abandon(change: Changing, deposit_id: str) -> Response:
    """Give a draft up; what is sealed stays."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            find_deposit(session, asker, deposit_id, Verb.DEPOSIT)
        rooms.desk.give_up_all(DepositId(deposit_id))
        rooms.intake.abandon(DepositId(deposit_id), asker.actor)
        return {"id": deposit_id, "state": "abandoned"}

    return change.perform_repeatable(work, status=200)


@router.get("/products/{vendor}/{product}/deposits", responses=documented(403, 404))
def list_deposits(
    rooms: RoomsNeeded, asker: Asker, vendor: str, product: str, before: Number | None = None
) -> dict[str, object]:
    """List a product's sealed deposits, newest first; ``next`` is the ``before`` of the next."""
    with rooms.database.reading() as session:
        found = find_product(session, asker, vendor, product, Verb.READ_STATUS)
        items, following = deposits_page(session, asker, found.id, before)
    return {"items": items, "next": following}


@router.get("/products/{vendor}/{product}/deposits/{number}", responses=documented(403, 404))
def by_number(
    rooms: RoomsNeeded, asker: Asker, vendor: str, product: str, number: str
) -> dict[str, object]:
    """Return a deposit by its number, or the newest."""
    with rooms.database.reading() as session:
        found = find_product(session, asker, vendor, product, Verb.READ_STATUS)
        row = (
            records.newest_sealed(session, found.id)
            if number == NEWEST
            else records.deposit_by_number(session, found.id, int(number))
            if number.isdecimal() and len(number) < 10
            else None
        )
        if row is None:
            raise DepositUnknown
        return _described(session, asker, row) | _stored(session, row)


@router.get("/deposits/{deposit_id}", responses=documented(403, 404))
def show(request: Request, rooms: RoomsNeeded, asker: Asker, deposit_id: str) -> Response:
    """Show where a deposit stands, as far as the asker may see it."""
    with rooms.database.reading() as session:
        row = find_deposit(session, asker, deposit_id, Verb.READ_STATUS)
        document = _described(session, asker, row) | _stored(session, row)
    if not asker.is_use_due:
        # Nothing in the document depends on the time; only whether the token is still good does.
        setattr(request.state, HOLDS_UNTIL, asker.holds_until)
    return tagged(request, document)


@router.get("/deposits/{deposit_id}/receipt", responses=documented(403, 404))
def receipt(rooms: RoomsNeeded, asker: Asker, deposit_id: str) -> Response:
    """Return the signed receipt, with the public keys as the agents vouch for them."""
    with rooms.database.reading() as session:
        row = find_deposit(session, asker, deposit_id, Verb.READ_RECEIPT)
    # Also of one that was withdrawn since: a receipt stays what it was.
    if row.number is None:
        raise DepositUnknown
    text = row.receipt_json or rooms.intake.complete(DepositId(row.id)).receipt_json
    with rooms.database.reading() as session:
        shown = handed_out(session, rooms, text, agreements_read_under(session, asker, row))
    return Response(shown, media_type="application/json")


def deposits_page(
    session: Session, asker: Principal, product_id: ProductId, before: int | None
) -> tuple[list[dict[str, object]], int | None]:
    """Return a page of deposits as the asker sees them, and where the next begins."""
    rows = records.deposits_of(session, product_id, PAGE_DEPOSITS + 1, before)
    page = rows[:PAGE_DEPOSITS]
    items = [_described(session, asker, row) for row in page]
    following = page[-1].number if len(rows) > PAGE_DEPOSITS else None
    return items, following


def _finished(stored: StoredDeposit, receipt: str) -> dict[str, object]:
    return {
        "id": stored.id,
        "number": stored.number,
        "state": "sealed",
        "sealed_at": rfc3339(stored.sealed_at),
        "receipt": receipt,
    }


def _not_served(session: Session, asker: Principal, row: records.Deposit) -> dict[str, object]:
    """Tell a reader that the vendor sealed a deposit for another agreement than the reader's."""
    sent = [one for one in records.parts_of(session, DepositId(row.id)) if not one.carried_from]
    under = agreements_between(session, asker, ProductId(row.product_id))
    if not under or all(one.client_agreement_id in (None, *under) for one in sent):
        return {}
    return {"serves": False, "because": _FOR_ANOTHER}


def _sealed_by_vendor(part: records.Part) -> dict[str, object]:
    """Return what is said of a client-sealed part; digest and size are then of its age file."""
    if part.client_agreement_id is None:
        return {}
    return {
        "sealing": CLIENT_SEALED,
        "verification": NOT_VERIFIABLE,
        "agreement": part.client_agreement_id,
        "epoch": part.client_epoch,
    }


def _stored(session: Session, row: records.Deposit) -> dict[str, object]:
    """Tell whoever relies on a deposit whether one accident would be its end, or has been."""
    if row.sealed_at is None or row.state == State.SHREDDED:
        return {}
    parts = records.parts_of(session, DepositId(row.id))
    return {"storage": copies_of(session, {one.payload_sha256 for one in parts})}


def _described(session: Session, asker: Principal, row: records.Deposit) -> dict[str, object]:
    seen = class_of(asker)
    standing = standing_of(session, asker, row)
    described: dict[str, object] = {
        "id": row.id,
        "number": row.number,
        "state": row.state,
        "via": row.via,
        "sealed_at": rfc3339(row.sealed_at) if row.sealed_at else None,
        **show_standing(standing, seen),
    }
    if seen == "vendor":
        # He alone was told that it follows, and looks here for it.
        described["receipt"] = "made" if row.receipt_json else "pending" if row.number else None
        described["parts"] = [
            {
                "kind": part.kind,
                "name": part.name,
                "media": part.media,
                "size_bytes": part.size_bytes,
                "sha256": part.sha256,
                "as_of": rfc3339(part.as_of),
                "carried": part.carried_from is not None,
                **_sealed_by_vendor(part),
            }
            for part in records.parts_of(session, DepositId(row.id))
        ]
    else:
        described |= _not_served(session, asker, row)
    described["reports"] = [report.disclosure_class for report in reports_for(session, asker, row)]
    return described
