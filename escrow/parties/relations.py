"""How a principal stands to a thing, from plain facts that the room of the thing supplies.

Pure. The scope of a token narrows first: what lies outside it is not the token's, whoever's it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId
from escrow.parties.permissions import Principal, Relation, Role


@dataclass(frozen=True)
class AgreementParties:
    """Who stands in an agreement, by ids.

    Args:
        agreement_id: which.
        product_ids: the products that it covers.
        vendor_organisation_id: the depositor.
        beneficiary_organisation_ids: whom it protects.
        agent_member_ids: natural persons; their organisations give nobody else a right.
    """

    agreement_id: AgreementId
    product_ids: frozenset[ProductId]
    vendor_organisation_id: OrganisationId
    beneficiary_organisation_ids: frozenset[OrganisationId]
    agent_member_ids: frozenset[MemberId]


@dataclass(frozen=True)
class ProductParties:
    """Whose a product is, and the agreements (in force or being made) that cover it."""

    product_id: ProductId
    vendor_organisation_id: OrganisationId
    agreements: tuple[AgreementParties, ...] = ()


def relation_to_agreement(principal: Principal, parties: AgreementParties) -> Relation:
    """Return how a principal stands to an agreement."""
    if principal.agreement_ids is not None and parties.agreement_id not in principal.agreement_ids:
        return Relation.NONE
    if principal.product_ids is not None and not principal.product_ids & parties.product_ids:
        return Relation.NONE
    match principal.role:
        case Role.VENDOR:
            is_party = principal.organisation_id == parties.vendor_organisation_id
        case Role.BENEFICIARY:
            is_party = principal.organisation_id in parties.beneficiary_organisation_ids
        case Role.AGENT:
            is_party = principal.member_id in parties.agent_member_ids
        case Role.AUDITOR:
            # An auditor's rights are exactly what his token names; without a name there are none.
            named = principal.agreement_ids is not None
            return Relation.AUDITOR_OF_AGREEMENT if named else Relation.NONE
        case Role.OPERATOR:
            is_party = False
    return Relation.PARTY_OF_AGREEMENT if is_party else Relation.NONE


def relation_to_product(principal: Principal, parties: ProductParties) -> Relation:
    """Return how a principal stands to a product and its deposits."""
    if principal.product_ids is not None and parties.product_id not in principal.product_ids:
        return Relation.NONE
    if principal.role is Role.VENDOR:
        if principal.organisation_id != parties.vendor_organisation_id:
            return Relation.NONE
        covering = {agreement.agreement_id for agreement in parties.agreements}
        if principal.agreement_ids is not None and not principal.agreement_ids & covering:
            return Relation.NONE
        return Relation.VENDOR_OF_PRODUCT
    for agreement in parties.agreements:
        relation = relation_to_agreement(principal, agreement)
        if relation is not Relation.NONE:
            return relation
    return Relation.NONE


def relation_to_organisation(principal: Principal, organisation_id: OrganisationId) -> Relation:
    """Return how a principal stands to an organisation, its members and tokens.

    A token that is bound to products or agreements reaches nothing else.
    """
    is_bound = principal.product_ids is not None or principal.agreement_ids is not None
    if is_bound or principal.organisation_id != organisation_id:
        return Relation.NONE
    return Relation.SAME_ORGANISATION
