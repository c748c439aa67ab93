"""The first operator comes by a token that is good once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.parties import bootstrap, records, tokens
from escrow.parties.errors import (
    AlreadySetUp,
    MemberExists,
    TokenExpired,
    TokenOneTime,
    TokenRevoked,
    TokenSpent,
)
from escrow.parties.permissions import Role, Verb


def begin(world, *, again: bool = False) -> str:
    return bootstrap.begin(world.session, world.scribe, "production", world.now, again=again)


def claim(world, text: str, email: str = "ada@b.example"):
    return bootstrap.claim(
        world.session, world.scribe, "production", text, name="Ada", email=email, now=world.now
    )


def test_claim_makes_the_operator_and_his_token(world) -> None:
    member, token, text = claim(world, begin(world))
    found = tokens.authenticate(world.session, "production", text, world.now)
    assert (found.member_id, found.role) == (member.id, Role.OPERATOR)
    assert Verb.ADMINISTER in found.verbs
    assert token.id == found.token_id
    assert world.events() == [
        "parties:token:issued",
        "parties:token:exchanged",
        "parties:organisation:created",
        "parties:member:added",
        "parties:token:issued",
    ]


def test_setup_token_is_good_once(world) -> None:
    text = begin(world)
    claim(world, text)
    with pytest.raises(TokenSpent):
        claim(world, text)


def test_setup_token_speaks_for_nobody_and_is_no_invitation(world) -> None:
    text = begin(world)
    with pytest.raises(TokenOneTime):
        tokens.authenticate(world.session, "production", text, world.now)
    with pytest.raises(TokenOneTime):
        tokens.exchange(world.session, world.scribe, "production", text, now=world.now)


def test_invitation_sets_nothing_up(world) -> None:
    text = world.issue(world.member(world.organisation()), one_time=True)
    with pytest.raises(TokenOneTime):
        claim(world, text)


def test_setup_token_ends_after_a_day(world) -> None:
    text = begin(world)
    world.clock.pass_time(timedelta(days=1))
    with pytest.raises(TokenExpired):
        claim(world, text)
    claim(world, begin(world))


def test_second_begin_is_refused_unless_asked_for_and_ends_the_first(world) -> None:
    first = begin(world)
    with pytest.raises(AlreadySetUp):
        begin(world)
    second = begin(world, again=True)
    with pytest.raises(TokenRevoked):
        claim(world, first)
    claim(world, second)
    with pytest.raises(AlreadySetUp):
        begin(world)


def test_operator_who_lost_his_token_gets_another(world) -> None:
    member, _, _ = claim(world, begin(world))
    same, _, _ = claim(world, begin(world, again=True), email="ADA@b.example")
    other, _, _ = claim(world, begin(world, again=True), email="bob@b.example")
    assert same.id == member.id
    assert other.organisation_id == member.organisation_id


def test_address_of_somebody_without_the_role_is_refused(world) -> None:
    claim(world, begin(world))
    own = records.organisation_by_slug(world.session, bootstrap.OPERATOR_SLUG)
    world.member(own, Role.AGENT, email="agent@b.example")
    text = begin(world, again=True)
    with pytest.raises(MemberExists):
        claim(world, text, email="agent@b.example")
