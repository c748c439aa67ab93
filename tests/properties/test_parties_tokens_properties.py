"""Whatever the token: typing errors are found, and nobody grants more than he has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.ground.errors import NotAuthenticated, NotPermitted
from escrow.ground.identifiers import (
    AgreementId,
    MemberId,
    OrganisationId,
    ProductId,
    TokenId,
    new_id,
)
from escrow.parties.permissions import Principal, Relation, Role, Verb, is_allowed
from escrow.parties.relations import AgreementParties, ProductParties, relation_to_product
from escrow.parties.token_text import holds_secret, parse_token, write_token
from escrow.parties.tokens import Grant, check_grantable

ENVIRONMENTS = st.sampled_from(["production", "demo", "development"])
PRODUCTS = [ProductId("prd_1"), ProductId("prd_2")]
AGREEMENTS = [AgreementId("agr_1"), AgreementId("agr_2")]
ORGANISATIONS = st.sampled_from([OrganisationId("org_1"), OrganisationId("org_2")])
MEMBERS = st.sampled_from([None, MemberId("mem_1"), MemberId("mem_2")])
VERBS = st.frozensets(st.sampled_from(Verb), min_size=1)
PRODUCT_SCOPES = st.none() | st.frozensets(st.sampled_from(PRODUCTS))
AGREEMENT_SCOPES = st.none() | st.frozensets(st.sampled_from(AGREEMENTS))

PRINCIPALS = st.builds(
    Principal,
    token_id=st.just(TokenId("tok_1")),
    member_id=MEMBERS,
    organisation_id=ORGANISATIONS,
    role=st.sampled_from(Role),
    verbs=VERBS,
    product_ids=PRODUCT_SCOPES,
    agreement_ids=AGREEMENT_SCOPES,
)
AGREEMENT_PARTIES = st.builds(
    AgreementParties,
    agreement_id=st.sampled_from(AGREEMENTS),
    product_ids=st.frozensets(st.sampled_from(PRODUCTS)),
    vendor_organisation_id=ORGANISATIONS,
    beneficiary_organisation_ids=st.frozensets(ORGANISATIONS),
    agent_member_ids=st.frozensets(st.sampled_from([MemberId("mem_1"), MemberId("mem_2")])),
)
PRODUCT_PARTIES = st.builds(
    ProductParties,
    product_id=st.sampled_from(PRODUCTS),
    vendor_organisation_id=ORGANISATIONS,
    agreements=st.lists(AGREEMENT_PARTIES, max_size=2).map(tuple),
)


@given(ENVIRONMENTS)
def test_written_token_is_read_back_and_found_by_a_scanner(env) -> None:
    token_id = TokenId(new_id("tok"))
    text, digest = write_token(env, token_id)
    parts = parse_token(env, text)
    assert (parts.token_id, parts.secret_sha256) == (token_id, digest)
    assert holds_secret(f"x{text}y")


@given(st.data())
def test_one_changed_character_is_never_taken(data) -> None:
    text, _ = write_token("demo", TokenId(new_id("tok")))
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    assume(other != text[place])
    with pytest.raises(NotAuthenticated):
        parse_token("demo", text[:place] + other + text[place + 1 :])


@given(PRINCIPALS, MEMBERS, VERBS, PRODUCT_SCOPES, AGREEMENT_SCOPES, PRODUCT_PARTIES)
def test_granted_token_opens_no_product_that_its_issuer_cannot(
    issuer, member, verbs, products, agreements, parties
) -> None:
    assume(issuer.role is not Role.OPERATOR)
    grant = Grant(
        organisation_id=issuer.organisation_id,
        role=issuer.role,
        member_id=member,
        verbs=verbs,
        product_ids=products,
        agreement_ids=agreements,
    )
    try:
        check_grantable(issuer, grant)
    except NotPermitted:
        return
    granted = Principal(
        token_id=TokenId("tok_2"),
        member_id=grant.member_id,
        organisation_id=grant.organisation_id,
        role=grant.role,
        verbs=grant.effective_verbs,
        product_ids=products,
        agreement_ids=agreements,
    )
    for verb in Verb:
        reaches = is_allowed(granted, verb, relation_to_product(granted, parties))
        assert not reaches or can(issuer, verb, parties)


def can(issuer: Principal, verb: Verb, parties: ProductParties) -> bool:
    return is_allowed(issuer, verb, relation_to_product(issuer, parties))


@given(PRINCIPALS, PRODUCT_PARTIES)
def test_vendors_see_only_their_own_products(somebody, parties) -> None:
    stranger = replace(somebody, role=Role.VENDOR, organisation_id=OrganisationId("org_3"))
    assert relation_to_product(stranger, parties) is Relation.NONE
    assert not any(is_allowed(stranger, verb, Relation.NONE) for verb in Verb)
