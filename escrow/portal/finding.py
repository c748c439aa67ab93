"""From the names in an address to the thing, once the asker may see it; else it is not there."""

from __future__ import annotations

from escrow.deposits import records as deposits
from escrow.deposits.errors import DepositUnknown, ProductUnknown
from escrow.deposits.registration import RegisteredProduct, product_of
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, OrganisationId, ProductId
from escrow.parties import records as parties
from escrow.parties.permissions import Principal, Relation, Verb, check_allowed
from escrow.parties.relations import (
    ProductParties,
    relation_to_agreement,
    relation_to_product,
)
from escrow.register.errors import AgreementUnknown
from escrow.register.reading import parties_covering, parties_of


def find_product(
    session: Session, asker: Principal, vendor: str, product: str, verb: Verb
) -> RegisteredProduct:
    """Return a product by its address.

    Raises:
        ProductUnknown: there is none for this asker.
        NotAllowed, TokenLacksVerb: it is his to see, and he may not do this.
    """
    organisation = parties.organisation_by_slug(session, vendor)
    if organisation is None:
        raise ProductUnknown
    found = product_of(session, OrganisationId(organisation.id), product)
    relation = relation_of(session, asker, found.id, found.organisation_id)
    check_allowed(asker, verb, relation, ProductUnknown)
    return found


def find_deposit(
    session: Session, asker: Principal, deposit_id: str, verb: Verb
) -> deposits.Deposit:
    """Return a deposit by its id.

    Raises:
        DepositUnknown: there is none for this asker.
        NotAllowed, TokenLacksVerb: it is his to see, and he may not do this.
    """
    row = deposits.deposit_by_id(session, DepositId(deposit_id))
    if row is None:
        raise DepositUnknown
    product_id = ProductId(row.product_id)
    product = deposits.product_by_id(session, product_id)
    if product is None:
        raise ProductUnknown
    owner = OrganisationId(product.organisation_id)
    check_allowed(asker, verb, relation_of(session, asker, product_id, owner), DepositUnknown)
    return row


def check_agreement_allowed(
    session: Session, asker: Principal, agreement_id: str, verb: Verb
) -> AgreementId:
    """Return the agreement's id when the asker may do this to it.

    Raises:
        AgreementUnknown: there is none for this asker.
        NotAllowed, TokenLacksVerb: it is his to see, and he may not do this.
    """
    identifier = AgreementId(agreement_id)
    relation = relation_to_agreement(asker, parties_of(session, identifier))
    check_allowed(asker, verb, relation, AgreementUnknown)
    return identifier


def relation_of(
    session: Session, asker: Principal, product_id: ProductId, owner: OrganisationId
) -> Relation:
    """Return how the asker stands to a product."""
    covering = parties_covering(session, product_id)
    return relation_to_product(asker, ProductParties(product_id, owner, covering))


def agreement_between(
    session: Session, asker: Principal, product_id: ProductId
) -> AgreementId | None:
    """Return the first agreement under which the asker sees a product; None for its vendor."""
    return next(iter(agreements_between(session, asker, product_id)), None)


def agreements_between(
    session: Session, asker: Principal, product_id: ProductId
) -> list[AgreementId]:
    """Return every agreement under which the asker sees a product; none for its vendor."""
    return [
        one.agreement_id
        for one in parties_covering(session, product_id)
        if relation_to_agreement(asker, one) is not Relation.NONE
    ]


def address_of(session: Session, product: RegisteredProduct) -> str:
    """Return ``vendor/product`` as people write it."""
    vendor = parties.organisation(session, product.organisation_id)
    return f"{vendor.slug if vendor else product.organisation_id}/{product.spec.slug}"
