"""Tokens: form, validity, bounds, last use, revocation, one-time use."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId, TokenId
from escrow.parties import organisations, records, tokens
from escrow.parties.errors import (
    BadGrant,
    GrantExceedsIssuer,
    MemberUnknown,
    OrganisationUnknown,
    TokenAbsent,
    TokenExpired,
    TokenMalformed,
    TokenOfOtherService,
    TokenOneTime,
    TokenRevoked,
    TokenSpent,
    TokenUnknown,
)
from escrow.parties.permissions import Principal, Role, Verb, verbs_of
from escrow.parties.token_text import holds_secret, parse_token, write_token


def who(world, text: str) -> Principal:
    return tokens.authenticate(world.session, "production", text, world.now)


def exchange(world, text: str) -> str:
    _, lasting = tokens.exchange(world.session, world.scribe, "production", text, now=world.now)
    return lasting


def revoke(world, token_id: TokenId) -> None:
    tokens.revoke(world.session, world.scribe, token_id=token_id, actor="setup", now=world.now)


def test_token_speaks_for_its_member(world) -> None:
    member = world.member(world.organisation())
    found = who(world, world.issue(member, product_ids=frozenset({ProductId("prd_1")})))
    assert (found.member_id, found.organisation_id) == (member.id, member.organisation_id)
    assert found.role is Role.VENDOR
    assert found.product_ids == {"prd_1"}
    assert Verb.DEPOSIT in found.verbs
    assert Verb.ADMINISTER not in found.verbs
    assert found.actor == member.id


def test_machine_token_speaks_for_the_organisation(world) -> None:
    member = world.member(world.organisation())
    found = who(world, world.issue(member, member_id=None))
    assert found.member_id is None
    assert found.actor == found.token_id


def test_only_the_digest_of_the_secret_is_stored(world) -> None:
    text = world.issue(world.member(world.organisation()))
    secret = text.split("_")[3]
    row = records.token(world.session, parse_token("production", text).token_id)
    assert secret not in repr(row)
    assert row.secret_sha256 == parse_token("production", text).secret_sha256


def test_event_holds_ids_and_no_secret(world) -> None:
    text = world.issue(world.member(world.organisation()))
    stored = " ".join(entry.decode() for entry in world.entries())
    assert world.events()[-1] == "parties:token:issued"
    assert text.split("_")[3] not in stored
    assert "Ada" not in stored
    assert "b.example" not in stored


@pytest.mark.parametrize("place", [5, 12, 40, 60, -1])
def test_one_changed_character_is_recognised_as_a_typing_error(place: int) -> None:
    text, _ = write_token("production", TokenId("tok_" + "0" * 26))
    other = "b" if text[place] != "b" else "c"
    mistyped = text[:place] + other + (text[place:][1:])
    with pytest.raises(TokenMalformed):
        parse_token("production", mistyped)


@pytest.mark.parametrize("text", ["", "esc_", "Bearer x", "esc_prod_x_y_z", "x" * 10_000])
def test_what_is_no_token_is_said_to_be_none(text: str) -> None:
    with pytest.raises(TokenMalformed):
        parse_token("production", text)


def test_token_of_another_environment_is_named(world) -> None:
    text = world.issue(world.member(world.organisation()))
    with pytest.raises(TokenOfOtherService, match="prod"):
        tokens.authenticate(world.session, "demo", text, world.now)


def test_well_formed_token_that_nobody_issued_is_unknown(world) -> None:
    text, _ = write_token("production", TokenId("tok_" + "0" * 26))
    with pytest.raises(TokenUnknown):
        who(world, text)


def test_right_id_with_another_secret_is_unknown(world) -> None:
    text = world.issue(world.member(world.organisation()))
    forged, _ = write_token("production", parse_token("production", text).token_id)
    with pytest.raises(TokenUnknown):
        who(world, forged)


def test_token_expires_on_its_moment(world) -> None:
    text = world.issue(world.member(world.organisation()), lifetime=timedelta(days=1))
    world.clock.pass_time(timedelta(days=1) - timedelta(milliseconds=1))
    who(world, text)
    world.clock.pass_time(timedelta(milliseconds=1))
    with pytest.raises(TokenExpired):
        who(world, text)


def test_revocation_holds_at_once_and_is_written_once(world) -> None:
    text = world.issue(world.member(world.organisation()))
    token_id = parse_token("production", text).token_id
    revoke(world, token_id)
    revoke(world, token_id)
    with pytest.raises(TokenRevoked):
        who(world, text)
    assert world.events().count("parties:token:revoked") == 1


def test_revoking_what_is_not_there_is_not_found(world) -> None:
    with pytest.raises(TokenAbsent):
        revoke(world, TokenId("tok_none"))


def test_token_of_a_removed_member_is_refused(world) -> None:
    member = world.member(world.organisation())
    text = world.issue(member)
    organisations.remove_member(
        world.session,
        world.scribe,
        member_id=MemberId(member.id),
        actor="setup",
        now=world.now,
    )
    with pytest.raises(TokenRevoked):
        who(world, text)


def test_last_use_is_noted_once_a_minute(world) -> None:
    text = world.issue(world.member(world.organisation()))
    found = who(world, text)
    assert found.is_use_due
    assert tokens.note_use(world.session, found.token_id, world.now)
    world.clock.pass_time(timedelta(seconds=59))
    assert not who(world, text).is_use_due
    assert not tokens.note_use(world.session, found.token_id, world.now)
    world.clock.pass_time(timedelta(seconds=1))
    assert tokens.note_use(world.session, found.token_id, world.now)


def test_one_time_token_speaks_for_nobody(world) -> None:
    text = world.issue(world.member(world.organisation()), one_time=True)
    with pytest.raises(TokenOneTime):
        who(world, text)


def test_one_time_token_is_exchanged_once(world) -> None:
    member = world.member(world.organisation())
    text = world.issue(member, one_time=True, verbs=frozenset({Verb.DEPOSIT}))
    found = who(world, exchange(world, text))
    assert (found.member_id, found.verbs) == (member.id, {Verb.DEPOSIT})
    with pytest.raises(TokenSpent):
        exchange(world, text)


def test_lasting_token_cannot_be_exchanged(world) -> None:
    text = world.issue(world.member(world.organisation()))
    with pytest.raises(TokenOneTime):
        exchange(world, text)
    who(world, text)


@pytest.mark.parametrize(
    "changes",
    [
        {"lifetime": timedelta(days=366)},
        {"lifetime": timedelta(0)},
        {"verbs": frozenset()},
        {"verbs": frozenset({Verb.OPEN_SHARE})},
        {"role": Role.AGENT},
        {"role": Role.AGENT, "member_id": None},
        {"role": Role.AUDITOR, "member_id": None},
    ],
)
def test_grant_that_makes_no_sense_is_refused(world, changes: dict[str, object]) -> None:
    member = world.member(world.organisation())
    with pytest.raises(BadGrant):
        world.issue(member, **changes)


def test_token_for_a_member_of_another_organisation_is_refused(world) -> None:
    member = world.member(world.organisation())
    other = world.organisation("other")
    with pytest.raises(MemberUnknown):
        world.issue(member, organisation_id=OrganisationId(other.id))
    with pytest.raises(OrganisationUnknown):
        world.issue(member, organisation_id=OrganisationId("org_none"))


ISSUER = Principal(
    token_id=TokenId("tok_x"),
    member_id=MemberId("mem_x"),
    organisation_id=OrganisationId("org_x"),
    role=Role.VENDOR,
    verbs=verbs_of(Role.VENDOR) - {Verb.ADMINISTER},
    product_ids=frozenset({ProductId("prd_1"), ProductId("prd_2")}),
)
WITHIN = tokens.Grant(
    organisation_id=OrganisationId("org_x"),
    role=Role.VENDOR,
    verbs=frozenset({Verb.DEPOSIT}),
    product_ids=frozenset({ProductId("prd_1")}),
)


def test_grant_within_the_issuer_is_allowed() -> None:
    tokens.check_grantable(ISSUER, WITHIN)


@pytest.mark.parametrize(
    "wider",
    [
        replace(WITHIN, organisation_id=OrganisationId("org_y")),
        replace(WITHIN, role=Role.OPERATOR, verbs=frozenset({Verb.READ_STATUS})),
        replace(WITHIN, role=Role.BENEFICIARY, verbs=frozenset({Verb.READ_STATUS})),
        replace(WITHIN, verbs=frozenset({Verb.DEPOSIT, Verb.ADMINISTER})),
        replace(WITHIN, member_id=MemberId("mem_colleague")),
        replace(WITHIN, product_ids=None),
        replace(WITHIN, product_ids=frozenset({ProductId("prd_3")})),
    ],
)
def test_nobody_grants_more_than_he_has(wider: tokens.Grant) -> None:
    with pytest.raises(GrantExceedsIssuer):
        tokens.check_grantable(ISSUER, wider)


def test_operator_grants_to_any_organisation_but_not_beyond_his_own_scope() -> None:
    operator = replace(ISSUER, role=Role.OPERATOR, verbs=verbs_of(Role.OPERATOR), product_ids=None)
    tokens.check_grantable(operator, WITHIN)
    bound = replace(operator, agreement_ids=frozenset({AgreementId("agr_1")}))
    with pytest.raises(GrantExceedsIssuer):
        tokens.check_grantable(bound, WITHIN)


def test_tokens_and_keys_are_found_in_a_text() -> None:
    text, _ = write_token("demo", TokenId("tok_" + "0" * 26))
    assert holds_secret(f'{{"token": "{text}"}}')
    assert holds_secret("AGE-SECRET-KEY-1QQQ")
    assert not holds_secret('{"token_id": "tok_' + "0" * 26 + '"}')
