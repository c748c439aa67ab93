"""Products: what a vendor owes."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from escrow.deposits import records
from escrow.deposits.products import Material, ProductSpec
from escrow.deposits.registration import RegisteredProduct, product_with_id, register_product
from escrow.ground.database import Session
from escrow.ground.identifiers import OrganisationId, ProductId
from escrow.parties import organisations
from escrow.parties.errors import OrganisationUnknown
from escrow.parties.permissions import Relation, Verb, check_allowed, is_allowed
from escrow.parties.relations import relation_to_organisation
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.finding import address_of, find_product, relation_of
from escrow.portal.problems import documented, documented_change
from escrow.portal.rooms import Rooms
from escrow.portal.schemas.products import ProductBody

router = APIRouter(tags=["products"])


@router.post("/products", status_code=201, responses=documented_change(403, 404))
def register(change: Changing, body: ProductBody) -> Response:
    """Register a product with its repositories, the refs that count and what it owes."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        vendor = organisations.find_organisation(session, body.vendor)
        relation = relation_to_organisation(asker, OrganisationId(vendor.id))
        check_allowed(asker, Verb.REGISTER_PRODUCT, relation, OrganisationUnknown)
        product = register_product(
            session,
            OrganisationId(vendor.id),
            _spec(body),
            by=asker.actor,
            scribe=rooms.scribe,
            clock=rooms.clock,
        )
        return _described(session, rooms, product)

    return change.perform(work)


@router.get("/products", responses=documented())
def list_products(rooms: RoomsNeeded, asker: Asker) -> dict[str, object]:
    """List the products that the asker may see."""
    with rooms.database.reading() as session:
        items = []
        for row in records.all_products(session):
            owner = OrganisationId(row.organisation_id)
            relation = relation_of(session, asker, ProductId(row.id), owner)
            seen = relation is not Relation.NONE or is_allowed(asker, Verb.READ_STATUS, relation)
            if seen:
                product = product_with_id(session, ProductId(row.id))
                items.append(_described(session, rooms, product))
    return {"items": items, "next": None}


@router.get("/products/{vendor}/{product}", responses=documented(403, 404))
def show(rooms: RoomsNeeded, asker: Asker, vendor: str, product: str) -> dict[str, object]:
    """Show a product's terms."""
    with rooms.database.reading() as session:
        found = find_product(session, asker, vendor, product, Verb.READ_STATUS)
        return _described(session, rooms, found)


def _spec(body: ProductBody) -> ProductSpec:
    return ProductSpec(
        slug=body.slug,
        name=body.name,
        repositories=tuple(body.repositories),
        refs=tuple(body.refs),
        history=body.history,
        materials=tuple(
            Material(item.kind, item.name, item.required, item.max_age_days)
            for item in body.materials
        ),
    )


def _described(session: Session, rooms: Rooms, product: RegisteredProduct) -> dict[str, object]:
    address = address_of(session, product)
    spec = product.spec
    return {
        "id": product.id,
        "product": address,
        "name": spec.name,
        "history": spec.history,
        "refs": list(spec.refs),
        "materials": [
            {"kind": m.kind, "name": m.name, "required": m.required, "max_age_days": m.max_age_days}
            for m in spec.materials
        ],
        "push_urls": [f"{rooms.public_url}/git/{address}/{slug}.git" for slug in spec.repositories],
    }
