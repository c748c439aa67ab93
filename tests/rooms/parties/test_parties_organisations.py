"""Organisations, members and their public keys."""

from __future__ import annotations

import pytest

from escrow.ground.errors import InvalidInput
from escrow.ground.identifiers import BadSlug, MemberId, OrganisationId
from escrow.ground.signatures import BadPublicKey, SigningKey
from escrow.parties import organisations, records
from escrow.parties.errors import (
    BadEmail,
    BadGrant,
    BadName,
    BadRecipient,
    KeyOfOther,
    MemberExists,
    MemberUnknown,
    OrganisationExists,
    OrganisationUnknown,
)
from escrow.parties.permissions import Role


def register(world, member, public_key: str, kind: str = "signing"):
    return organisations.register_key(
        world.session,
        world.scribe,
        member_id=MemberId(member.id),
        kind=kind,
        public_key=public_key,
        actor=member.id,
        now=world.now,
    )


def test_organisation_is_found_by_its_short_name(world) -> None:
    row = world.organisation("acme")
    assert organisations.find_organisation(world.session, "acme").id == row.id
    assert world.events() == ["parties:organisation:created"]


def test_short_name_is_taken_once_and_the_transaction_goes_on(world) -> None:
    world.organisation("acme")
    with pytest.raises(OrganisationExists):
        world.organisation("acme")
    world.organisation("other")
    assert [row.slug for row in records.organisations(world.session)] == ["acme", "other"]


def test_bad_short_name_is_refused(world) -> None:
    with pytest.raises(BadSlug):
        world.organisation("Acme Ltd")


def test_unknown_organisation_is_not_found(world) -> None:
    with pytest.raises(OrganisationUnknown):
        organisations.find_organisation(world.session, "nobody")


@pytest.mark.parametrize(
    "email", ["", "a", "a@b", "a b@c.example", "a@b.example\n", "a@b@c.example", "x" * 300]
)
def test_what_is_no_address_is_refused(world, email: str) -> None:
    with pytest.raises(BadEmail):
        world.member(world.organisation(), email=email)


def test_address_is_one_members_whatever_its_case(world) -> None:
    organisation = world.organisation()
    world.member(organisation, email="Ada@B.example")
    with pytest.raises(MemberExists):
        world.member(organisation, email="ada@b.EXAMPLE")
    assert world.member(world.organisation("other"), email="ada@b.example").id


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_name_that_cannot_be_printed_is_refused(world, name: str) -> None:
    with pytest.raises(BadName):
        organisations.create_organisation(
            world.session, world.scribe, slug="x", name=name, actor="setup", now=world.now
        )


def test_member_needs_a_role(world) -> None:
    with pytest.raises(BadGrant):
        organisations.add_member(
            world.session,
            world.scribe,
            organisation_id=OrganisationId(world.organisation().id),
            name="Ada",
            email="a@b.example",
            roles=(),
            actor="setup",
            now=world.now,
        )


def test_key_leads_to_its_member_until_he_leaves(world) -> None:
    member = world.member(world.organisation(), Role.AGENT)
    key = str(SigningKey.generate().public)
    register(world, member, key)
    assert organisations.member_of_key(world.session, key).id == member.id
    organisations.remove_member(
        world.session, world.scribe, member_id=member.id, actor="setup", now=world.now
    )
    assert organisations.member_of_key(world.session, key) is None
    with pytest.raises(MemberUnknown):
        organisations.find_member(world.session, member.id)


def test_registering_the_same_key_again_changes_nothing(world) -> None:
    member = world.member(world.organisation())
    key = str(SigningKey.generate().public)
    assert register(world, member, key).id == register(world, member, f" {key}\n").id
    assert world.events().count("parties:key:registered") == 1


def test_key_of_another_member_is_refused(world) -> None:
    organisation = world.organisation()
    key = str(SigningKey.generate().public)
    register(world, world.member(organisation), key)
    with pytest.raises(KeyOfOther):
        register(world, world.member(organisation, email="eve@b.example"), key)


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("signing", "ed25519:AAAA", BadPublicKey),
        ("signing", "age1" + "q" * 58, BadPublicKey),
        ("recipient", "AGE-SECRET-KEY-1" + "Q" * 58, BadRecipient),
        ("recipient", "ssh-ed25519 AAAA", BadRecipient),
    ],
)
def test_what_is_no_public_key_is_refused(
    world, kind: str, text: str, error: type[InvalidInput]
) -> None:
    with pytest.raises(error):
        register(world, world.member(world.organisation()), text, kind)


def test_both_kinds_of_recipients_are_taken(world) -> None:
    member = world.member(world.organisation())
    register(world, member, "age1" + "q" * 58, "recipient")
    register(world, member, "age1pq1" + "q" * 1900, "recipient")
    assert len(records.keys(world.session, MemberId(member.id))) == 2
