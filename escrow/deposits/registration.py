"""Register a product, and find one for somebody who asks; what is not yours is not there."""

from __future__ import annotations

from dataclasses import dataclass

from escrow.deposits import records
from escrow.deposits.errors import ProductExists, ProductUnknown
from escrow.deposits.products import Material, ProductSpec, check_product
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.digests import commitment, new_salt
from escrow.ground.identifiers import (
    OrganisationId,
    ProductId,
    RepositoryId,
    new_id,
)
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream


@dataclass(frozen=True)
class RegisteredProduct:
    """A product as it stands in the register, with all that it says of itself."""

    id: ProductId
    organisation_id: OrganisationId
    spec: ProductSpec


@dataclass(frozen=True)
class RegisteredRepository:
    """A repository of a product, as a push addresses it."""

    id: RepositoryId
    slug: str
    product: RegisteredProduct


def register_product(
    session: Session,
    organisation_id: OrganisationId,
    spec: ProductSpec,
    *,
    by: str,
    scribe: Scribe,
    clock: Clock,
) -> RegisteredProduct:
    """Register a product of a vendor and log it.

    Args:
        organisation_id: the vendor.
        spec: what the product says of itself.
        by: id of the acting token or member.

    Raises:
        BadProduct: the description cannot be held.
        ProductExists: the vendor has one of this name.
    """
    check_product(spec)
    if records.product_by_slugs(session, organisation_id, spec.slug):
        raise ProductExists(
            f"The product {spec.slug} is registered already.",
            "Deposit to it, or choose another name.",
        )
    product_id = ProductId(new_id("prd"))
    salt = new_salt()
    row = records.Product(
        id=product_id,
        organisation_id=organisation_id,
        slug=spec.slug,
        name=spec.name,
        history=spec.history,
        terms_salt=salt,
        created_at=clock.now(),
    )
    _store(session, row, spec)
    # Names are not for the ledger; who has the salt can show what was registered.
    terms = commitment(salt, _as_json(spec))
    scribe.append(
        session,
        NewEvent(
            Stream("product", product_id),
            "deposits:product:registered",
            by,
            {"organisation_id": organisation_id, "terms_commitment": terms},
        ),
    )
    return RegisteredProduct(product_id, organisation_id, spec)


def product_of(
    session: Session, organisation_id: OrganisationId, product_slug: str
) -> RegisteredProduct:
    """Return a vendor's product by name.

    Raises:
        ProductUnknown: there is none.
    """
    row = records.product_by_slugs(session, organisation_id, product_slug)
    if row is None:
        raise ProductUnknown
    return _read(session, row)


def product_with_id(session: Session, product_id: ProductId) -> RegisteredProduct:
    """Return a product by id; the caller still checks who may see it.

    Raises:
        ProductUnknown: there is none.
    """
    row = records.product_by_id(session, product_id)
    if row is None:
        raise ProductUnknown
    return _read(session, row)


def repository_of(
    session: Session, organisation_id: OrganisationId, product_slug: str, repository_slug: str
) -> RegisteredRepository:
    """Return a repository of a vendor's product by its names.

    Raises:
        ProductUnknown: there is no such product, or it has no such repository.
    """
    product = product_of(session, organisation_id, product_slug)
    row = records.repository_by_slug(session, product.id, repository_slug)
    if row is None:
        raise ProductUnknown
    return RegisteredRepository(RepositoryId(row.id), row.slug, product)


def _store(session: Session, row: records.Product, spec: ProductSpec) -> None:
    records.add(session, row)
    records.add(
        session,
        *(
            records.ProductRepository(id=new_id("rep"), product_id=row.id, slug=slug)
            for slug in spec.repositories
        ),
        *(records.ProductRef(product_id=row.id, pattern=ref) for ref in spec.refs),
        *(
            records.ProductMaterial(
                product_id=row.id,
                kind=material.kind,
                name=material.name or "",
                required=material.required,
                max_age_days=material.max_age_days,
            )
            for material in spec.materials
        ),
    )


def _read(session: Session, row: records.Product) -> RegisteredProduct:
    product_id = ProductId(row.id)
    spec = ProductSpec(
        slug=row.slug,
        name=row.name,
        repositories=tuple(r.slug for r in records.repositories_of(session, product_id)),
        refs=tuple(records.patterns_of(session, product_id)),
        history=row.history,
        materials=tuple(
            Material(m.kind, m.name or None, m.required, m.max_age_days)
            for m in records.materials_of(session, product_id)
        ),
    )
    return RegisteredProduct(product_id, OrganisationId(row.organisation_id), spec)


def _as_json(spec: ProductSpec) -> dict[str, object]:
    return {
        "slug": spec.slug,
        "name": spec.name,
        "history": spec.history,
        "repositories": list(spec.repositories),
        "refs": list(spec.refs),
        "materials": [[m.kind, m.name, m.required, m.max_age_days] for m in spec.materials],
    }
