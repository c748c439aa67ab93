"""How a product or an agreement stands: badge, cadence, deposits; and the service itself."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from fastapi.responses import Response

from escrow import __version__
from escrow.custody.reading import shown_custody, view_of_custody
from escrow.custody.standing import Standing
from escrow.deposits.registration import RegisteredProduct, product_with_id
from escrow.evidence.bundles import SignedDocument
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.ledger.proofs import newest_checkpoint, proof_of
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, RoomsNeeded, tagged
from escrow.portal.finding import (
    address_of,
    agreement_between,
    check_agreement_allowed,
    find_product,
)
from escrow.portal.handing_out import handed_out
from escrow.portal.problems import documented, documented_open
from escrow.portal.rooms import Rooms
from escrow.portal.routes.agreements import products_of
from escrow.portal.routes.deposits import deposits_page
from escrow.portal.routes.standing import class_of
from escrow.register.inforce import agreements_in_force
from escrow.register.reading import view_of
from escrow.verification import records
from escrow.verification.missing import records as missing
from escrow.verification.report import VENDOR
from escrow.verification.status import cadence_of

router = APIRouter(tags=["status"])


@router.get("/products/{vendor}/{product}/status", responses=documented(403, 404))
def product_status(
    request: Request, rooms: RoomsNeeded, asker: Asker, vendor: str, product: str
) -> Response:
    """Show a product's badge, cadence and newest deposits, in the asker's class."""
    with rooms.database.reading() as session:
        found = find_product(session, asker, vendor, product, Verb.READ_STATUS)
        document = _product_status(session, rooms, asker, found)
    return tagged(request, document)


@router.get("/agreements/{agreement_id}/status", responses=documented(403, 404))
def agreement_status(
    request: Request, rooms: RoomsNeeded, asker: Asker, agreement_id: str
) -> Response:
    """Show where an agreement stands, and each of its products."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_STATUS)
        view = view_of(session, found)
        custody = shown_custody(session, found, rooms.clock.now())
        products = [
            _product_status(session, rooms, asker, product_with_id(session, one))
            for one in products_of(session, found)
        ]
    document: dict[str, object] = {
        "agreement": view.agreement_id,
        "title": view.title,
        "standing": view.standing,
        "version": view.version,
        "missing": [one.what for one in view.missing],
        "custody": custody,
        "products": products,
    }
    return tagged(request, document)


@router.get("/agreements/{agreement_id}/missing-deposits", responses=documented(403, 404))
def missing_deposits(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Return every signed notice that a deposit was due under the agreement and did not come."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_STATUS)
        items = []
        for row in missing.notices_of(session, found):
            signed = SignedDocument.from_json(row.document)
            proof = proof_of(session, row.entry_sha256)
            text = (signed.with_proof(proof) if proof else signed).to_json()
            items.append(
                {
                    "product": row.product_id,
                    "due_at": rfc3339(row.due_at),
                    "signed_at": rfc3339(row.signed_at),
                    "document": json.loads(handed_out(session, rooms, text, [found])),
                }
            )
    return {"items": items, "next": None}


@router.get("/trust-root", responses=documented_open())
def trust_root(rooms: RoomsNeeded) -> Response:
    """Return every public key of this installation; compare its fingerprint out of band."""
    return Response(rooms.trust_root.to_json(), media_type="application/json")


@router.get("/ledger/checkpoint", responses=documented_open())
def checkpoint(rooms: RoomsNeeded) -> Response:
    """Return the newest signed checkpoint of the public log (C2SP signed note)."""
    with rooms.database.reading() as session:
        newest = newest_checkpoint(session, rooms.trust_root.ledger_keys)
    return Response(newest.note if newest else "", media_type="text/plain; charset=utf-8")


@router.get("/health", responses=documented_open())
def health(rooms: RoomsNeeded) -> dict[str, object]:
    """Say that the service answers, and in which environment it runs."""
    return {"status": "up", "version": __version__, "environment": rooms.environment}


def _product_status(
    session: Session, rooms: Rooms, asker: Principal, product: RegisteredProduct
) -> dict[str, object]:
    agreement = agreement_between(session, asker, product.id) or records.ALL_AGREEMENTS
    if class_of(asker) == VENDOR:
        agreement = records.ALL_AGREEMENTS
    badge = records.badge_of(session, product.id, AgreementId(agreement))
    deposits, _ = deposits_page(session, asker, product.id, None)
    return {
        "product": address_of(session, product),
        "name": product.spec.name,
        "last_provably_buildable": badge.deposit_number if badge else None,
        "proven_at": rfc3339(badge.finished_at) if badge and badge.finished_at else None,
        **_cadence(session, rooms, product, AgreementId(agreement)),
        "deposits": deposits,
    }


def _cadence(
    session: Session, rooms: Rooms, product: RegisteredProduct, agreement: AgreementId
) -> dict[str, object]:
    """Return when the next deposit is owed, under the strictest agreement that concerns him."""
    governing = [
        one
        for one in agreements_in_force(session, product.id)
        if agreement in (records.ALL_AGREEMENTS, one.agreement_id)
    ]
    if not governing:
        return {"agreements_in_force": 0}
    last = records.last_owed_of(session, product.id, agreement)
    cadences = [
        cadence_of(
            last.finished_at if last else None,
            one.in_force_since,
            one.terms.cadence_days,
            one.terms.grace_days,
            rooms.clock.now(),
        )
        for one in governing
    ]
    standings = {
        one.agreement_id: view_of_custody(session, one.agreement_id, rooms.clock.now())
        for one in governing
    }
    strictest = min(cadences, key=lambda cadence: cadence.due_at)
    return {
        "agreements_in_force": len(governing),
        "next_deposit_due": rfc3339(strictest.due_at),
        "overdue": any(cadence.is_overdue for cadence in cadences),
        # Beside the badge: what builds is worth little while nobody can open it.
        "custody_impaired": any(
            one is not None and one.standing is Standing.IMPAIRED for one in standings.values()
        ),
        "periods_missed": max(
            missing.count_since(
                session,
                one.agreement_id,
                product.id,
                last.finished_at if last and last.finished_at else one.in_force_since,
            )
            for one in governing
        ),
    }
