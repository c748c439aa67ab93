"""Something happens between the intent and its execution: what is intended is carried out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from escrow.operations.keyholder.releases import Releases
from escrow.operations.keyholder.wire import KeyholderOut


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def intended(world, monkeypatch) -> Iterator[str]:
    """A request whose release is intended, by a keyholder that ended at that moment."""
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")

    def end_here(*_: object) -> None:
        raise KeyholderOut("The keyholder ended.", "Start it again.")

    with monkeypatch.context() as killed:
        killed.setattr(Releases, "_execute", end_here)
        answer = world.try_confirming(request, "agent_2")
    assert answer.is_error or answer.json()["state"] != "released"
    return request


def package(world, request: str) -> dict[str, object]:
    return world.do("GET", f"/requests/{request}/release", "beneficiary")


def test_nothing_is_handed_over_on_an_intent_alone(world, intended) -> None:
    assert world.ask("GET", f"/requests/{intended}/release", "beneficiary").is_error


def test_a_push_after_the_intent_does_not_abort(world, intended) -> None:
    late = world.deposit()
    world.rooms.driver.push_all_on()
    assert late not in {one["deposit_id"] for one in package(world, intended)["deposits"]}


def test_contrary_instructions_after_the_intent_are_logged_and_do_not_abort(
    world, intended
) -> None:
    assert world.instruct_otherwise(intended).is_success
    world.rooms.driver.push_all_on()
    assert package(world, intended)["deposits"]


def test_a_withdrawal_after_the_intent_does_not_abort(world, intended) -> None:
    assert world.try_act(intended, "beneficiary", "withdraw-release-request").is_error
    world.rooms.driver.push_all_on()
    assert package(world, intended)["deposits"]


def test_a_third_confirmation_after_the_intent_changes_nothing(world, intended) -> None:
    answer = world.ask("GET", f"/requests/{intended}/confirmation", "agent_3")
    assert answer.json()["code"] == "releases.step-not-possible"
    world.rooms.driver.push_all_on()
    certificate = world.do("GET", f"/requests/{intended}/certificate", "beneficiary")
    assert certificate["bundle"]
