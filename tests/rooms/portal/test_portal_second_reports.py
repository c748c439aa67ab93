"""What the vendor is shown while one worker, then two, have reported on his deposit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.deposits import records as deposits
from escrow.ground.identifiers import DepositId, OrganisationId, TokenId
from escrow.parties.permissions import Principal, Role
from escrow.portal.routes.standing import standing_of
from escrow.testing.runners import build_errs, build_fails
from escrow.testing.verification import SECOND_WORKER, VerificationWorld
from escrow.verification.examinations import ATTEMPTS_MAX
from escrow.verification.status import show_standing

VENDOR = Principal(TokenId("tok_1"), None, OrganisationId("org_1"), Role.VENDOR, frozenset())


@pytest.fixture
def two(tmp_path: Path) -> Iterator[VerificationWorld]:
    made = VerificationWorld(tmp_path, two_workers=True)
    yield made
    made.close()


def _shown(world: VerificationWorld, deposit_id: DepositId) -> dict[str, object]:
    with world.database.reading() as session:
        row = deposits.deposit_by_id(session, deposit_id)
        assert row is not None
        return show_standing(standing_of(session, VENDOR, row), "vendor")


def _keys(world: VerificationWorld, *names: str) -> list[str]:
    return [world.ledger.key(name).public.key_id for name in names]


def test_a_lone_workers_word_is_shown_as_one(tmp_path: Path) -> None:
    world = VerificationWorld(tmp_path)
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    shown = _shown(world, deposit_id)
    assert shown["workers"] == [{"key": _keys(world, "worker")[0], "verdict": "pass"}]
    assert shown["confirmation"] == ("Confirmed by one worker; a second is needed for equivalence.")
    world.close()


def test_before_a_report_nobody_is_named(two: VerificationWorld) -> None:
    deposit_id = two.sealed_deposit()
    two.examiner.queue(deposit_id)
    shown = _shown(two, deposit_id)
    assert (shown["workers"], shown["confirmation"]) == ([], None)


def test_both_workers_are_named_by_their_keys(two: VerificationWorld) -> None:
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    second = two.second_worker()
    second.queue(deposit_id, second=True)
    assert "a second one examines it" in str(_shown(two, deposit_id)["confirmation"])
    two.confirm(second, deposit_id)
    shown = _shown(two, deposit_id)
    named = [one["key"] for one in shown["workers"]]  # type: ignore[attr-defined]
    assert named == _keys(two, "worker", SECOND_WORKER)
    assert shown["confirmation"] == "Two workers with separate keys found the same."
    assert (shown["verdict"], shown["verification"]) == ("pass", "done")


def test_where_they_disagree_the_worse_is_shown_and_both_words(two: VerificationWorld) -> None:
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    two.second_runner.build = build_fails
    two.confirm(two.second_worker(), deposit_id)
    shown = _shown(two, deposit_id)
    assert shown["verdict"] == "fail"
    assert [one["verdict"] for one in shown["workers"]] == ["pass", "fail"]  # type: ignore[attr-defined]
    assert "did not find what the first one had found" in str(shown["confirmation"])


def test_an_error_of_the_second_is_not_shown_as_the_deposits(two: VerificationWorld) -> None:
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    two.second_runner.build = build_errs
    second = two.second_worker()
    for _ in range(ATTEMPTS_MAX):
        two.confirm(second, deposit_id)
    shown = _shown(two, deposit_id)
    assert (shown["verdict"], shown["level"]) == ("pass", "build")
    assert str(shown["confirmation"]).startswith("Confirmed by one worker")
