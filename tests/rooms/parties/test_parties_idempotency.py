"""The same unsafe call sent twice is done once; secrets are never kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.ground.identifiers import TokenId
from escrow.parties import records, tokens
from escrow.parties.errors import (
    AnswerNotKept,
    BadIdempotencyKey,
    KeyReused,
    SameRequestUnderWay,
)
from escrow.parties.idempotency import (
    Answer,
    Scope,
    forget_expired,
    recall,
    remember,
    scope_of,
)
from escrow.parties.token_text import write_token

ANSWER = Answer(201, '{"id": "prd_1"}')


def scope(world, body: bytes = b"{}", key: str = "k-1", route: str = "POST /products") -> Scope:
    if not hasattr(world, "asker"):
        text = world.issue(world.member(world.organisation()))
        world.asker = tokens.authenticate(world.session, "production", text, world.now)
    return scope_of(world.asker, route, key, body)


def test_new_call_is_unknown(world) -> None:
    assert recall(world.session, scope(world), world.now) is None


def test_repeated_call_is_answered_the_same(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    assert recall(world.session, scope(world), world.now) == ANSWER


def test_key_with_another_body_is_refused(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    with pytest.raises(KeyReused):
        recall(world.session, scope(world, body=b"[]"), world.now)


def test_same_key_on_another_route_or_of_another_principal_is_another_call(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    assert recall(world.session, scope(world, route="POST /tokens"), world.now) is None
    theirs = Scope("mem_other", "POST /products", "k-1", scope(world).body_sha256)
    assert recall(world.session, theirs, world.now) is None


def test_answer_is_forgotten_after_a_day(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    later = world.clock.pass_time(timedelta(hours=24))
    assert recall(world.session, scope(world), later) is None
    remember(world.session, scope(world), Answer(200, "{}"), later)
    assert recall(world.session, scope(world), later) == Answer(200, "{}")


def test_answer_with_a_token_is_not_kept_and_the_call_not_repeated(world) -> None:
    text, _ = write_token("production", TokenId("tok_" + "0" * 26))
    remember(world.session, scope(world), Answer(201, f'{{"token": "{text}"}}'), world.now)
    row = records.remembered(world.session, world.asker.actor, "POST /products", "k-1")
    assert text not in repr(row)
    with pytest.raises(AnswerNotKept):
        recall(world.session, scope(world), world.now)


def test_second_of_two_at_once_is_refused_and_its_transaction_usable(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    with pytest.raises(SameRequestUnderWay):
        remember(world.session, scope(world), ANSWER, world.now)
    assert recall(world.session, scope(world), world.now) == ANSWER


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, 'say"so', "tschüß"])
def test_bad_key_is_refused(world, key: str) -> None:
    with pytest.raises(BadIdempotencyKey):
        scope(world, key=key)


def test_old_answers_are_swept(world) -> None:
    remember(world.session, scope(world), ANSWER, world.now)
    world.clock.pass_time(timedelta(hours=25))
    remember(world.session, scope(world, key="k-2"), ANSWER, world.now)
    assert forget_expired(world.session, world.now) == 1
    assert recall(world.session, scope(world, key="k-2"), world.now) == ANSWER
