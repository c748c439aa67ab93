"""How somebody stands to products and agreements; scopes narrow first."""

from __future__ import annotations

from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId, TokenId
from escrow.parties.permissions import Principal, Relation, Role, verbs_of
from escrow.parties.relations import (
    AgreementParties,
    ProductParties,
    relation_to_agreement,
    relation_to_organisation,
    relation_to_product,
)

AGREEMENT = AgreementParties(
    agreement_id=AgreementId("agr_1"),
    product_ids=frozenset({ProductId("prd_1")}),
    vendor_organisation_id=OrganisationId("org_vendor"),
    beneficiary_organisation_ids=frozenset({OrganisationId("org_bank")}),
    agent_member_ids=frozenset({MemberId("mem_agent")}),
)
PRODUCT = ProductParties(ProductId("prd_1"), OrganisationId("org_vendor"), (AGREEMENT,))


def who(
    role: Role,
    organisation: str,
    member: str = "mem_x",
    products: frozenset[ProductId] | None = None,
    agreements: frozenset[AgreementId] | None = None,
) -> Principal:
    return Principal(
        token_id=TokenId("tok_x"),
        member_id=MemberId(member),
        organisation_id=OrganisationId(organisation),
        role=role,
        verbs=verbs_of(role),
        product_ids=products,
        agreement_ids=agreements,
    )


def test_vendor_reaches_its_own_products_only() -> None:
    assert relation_to_product(who(Role.VENDOR, "org_vendor"), PRODUCT) == "vendor-of-product"
    assert relation_to_product(who(Role.VENDOR, "org_rival"), PRODUCT) == "none"


def test_role_counts_and_not_only_the_organisation() -> None:
    assert relation_to_product(who(Role.BENEFICIARY, "org_vendor"), PRODUCT) is Relation.NONE
    assert relation_to_agreement(who(Role.VENDOR, "org_bank"), AGREEMENT) is Relation.NONE


def test_beneficiary_reaches_the_product_through_the_agreement() -> None:
    bank = who(Role.BENEFICIARY, "org_bank")
    assert relation_to_product(bank, PRODUCT) is Relation.PARTY_OF_AGREEMENT
    uncovered = ProductParties(ProductId("prd_1"), OrganisationId("org_vendor"))
    assert relation_to_product(bank, uncovered) is Relation.NONE


def test_agent_is_a_person_and_his_colleague_is_nobody() -> None:
    agent = who(Role.AGENT, "org_firm", "mem_agent")
    colleague = who(Role.AGENT, "org_firm", "mem_other")
    assert relation_to_agreement(agent, AGREEMENT) is Relation.PARTY_OF_AGREEMENT
    assert relation_to_agreement(colleague, AGREEMENT) is Relation.NONE


def test_auditor_reaches_what_his_token_names_and_nothing_else() -> None:
    named = who(Role.AUDITOR, "org_audit", agreements=frozenset({AgreementId("agr_1")}))
    other = who(Role.AUDITOR, "org_audit", agreements=frozenset({AgreementId("agr_2")}))
    unnamed = who(Role.AUDITOR, "org_audit")
    assert relation_to_product(named, PRODUCT) is Relation.AUDITOR_OF_AGREEMENT
    assert relation_to_product(other, PRODUCT) is Relation.NONE
    assert relation_to_product(unnamed, PRODUCT) is Relation.NONE


def test_token_of_another_product_does_not_reach_this_one() -> None:
    bound = who(Role.VENDOR, "org_vendor", products=frozenset({ProductId("prd_2")}))
    assert relation_to_product(bound, PRODUCT) is Relation.NONE
    assert relation_to_agreement(bound, AGREEMENT) is Relation.NONE


def test_token_of_an_agreement_reaches_its_products_only() -> None:
    bound = who(Role.VENDOR, "org_vendor", agreements=frozenset({AgreementId("agr_1")}))
    uncovered = ProductParties(ProductId("prd_2"), OrganisationId("org_vendor"))
    assert relation_to_product(bound, PRODUCT) is Relation.VENDOR_OF_PRODUCT
    assert relation_to_product(bound, uncovered) is Relation.NONE


def test_operator_is_related_to_nothing() -> None:
    operator = who(Role.OPERATOR, "org_vendor")
    assert relation_to_product(operator, PRODUCT) is Relation.NONE
    assert relation_to_agreement(operator, AGREEMENT) is Relation.NONE


def test_bound_token_reaches_no_organisation() -> None:
    free = who(Role.VENDOR, "org_vendor")
    bound = who(Role.VENDOR, "org_vendor", products=frozenset({ProductId("prd_1")}))
    own = OrganisationId("org_vendor")
    assert relation_to_organisation(free, own) is Relation.SAME_ORGANISATION
    assert relation_to_organisation(bound, own) is Relation.NONE
    assert relation_to_organisation(free, OrganisationId("org_bank")) is Relation.NONE
