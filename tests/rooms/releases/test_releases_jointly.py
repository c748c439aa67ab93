"""A vendor bound by two persons jointly: one alone neither consents nor loses a right."""

from __future__ import annotations

import pytest

from escrow.testing.releases import ReleaseWorld

JOINT = """signing_key = "{first}"
signs = "joint"

[[vendor.persons]]
name = "Second Person"
email = "second@northwind.example"
signing_key = "{second}"
signs = "joint"
"""


@pytest.fixture
def world(tmp_path):
    made = ReleaseWorld(tmp_path)
    key = made.cast.signing_key("vendor").public
    single = f'signing_key = "{key}"\nsigns = "single"\n'
    keys = {"first": made.cast.signing_key("vendor").public}
    keys["second"] = made.cast.signing_key("vendor_2").public
    text = made.cast.text
    assert single in text
    made.cast.__dict__["text"] = text.replace(single, JOINT.format(**keys))
    try:
        made.more_signers = ("vendor_2",)
        made.settle()
        yield made
    finally:
        made.close()


def consent(world, request: str, who: str):
    return world.try_act(request, who, "consent-to-release", None)


def test_the_first_of_two_consents_changes_nothing(world) -> None:
    request = world.request()
    answer = consent(world, request, "vendor")
    assert (answer.status_code, answer.json()["state"]) == (201, "filed")


def test_the_second_consent_approves(world) -> None:
    request = world.request()
    consent(world, request, "vendor")
    assert consent(world, request, "vendor_2").json()["state"] == "confirming"


def test_one_who_consents_twice_is_still_one(world) -> None:
    request = world.request()
    for _ in range(2):
        assert consent(world, request, "vendor").json()["state"] == "filed"


def test_one_consent_shortens_no_right_to_object(world) -> None:
    request = world.request()
    world.serve(request, "2026-01-02")
    consent(world, request, "vendor")
    world.clock.move(8 * 24 * 3600)
    assert world.instruct_otherwise(request).json()["state"] == "disputed"


def test_one_consent_lifts_no_objection(world) -> None:
    request = world.request()
    world.instruct_otherwise(request)
    assert consent(world, request, "vendor_2").json()["state"] == "disputed"
