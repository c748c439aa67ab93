"""A part that was sent before the agreement was in force, carried into a deposit that it covers."""

from __future__ import annotations

import pytest

from escrow.testing.verification import A_PYTHON_PROJECT, tar_of


@pytest.fixture
def released(world) -> dict[str, object]:
    """The package of a later agreement; docs came before it, source after."""
    before = world.draft()
    world.upload(before, "source/core", "tar", tar_of(A_PYTHON_PROJECT))
    world.upload(before, "docs/manual.txt", "file", b"Turn it on.\n")
    world.do("POST", f"/deposits/{before}/finish", "vendor")
    world.agreement = world.bring_into_force()
    world.deposit()
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for agent in ("agent_1", "agent_2"):
        world.confirm(request, agent)
    return world.do("GET", f"/requests/{request}/release", "beneficiary")


def test_what_was_sent_under_the_agreement_is_handed_over(released) -> None:
    (deposit,) = released["deposits"]
    assert [one["original"] for one in deposit["files"]] == ["source/core"]


def test_what_was_sent_before_is_named_and_stays_closed(released) -> None:
    assert len(released["not_opened"]) == 1
    assert released["certificate"]
