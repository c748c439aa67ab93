"""A proof of a changed recipient that is dated back, where witnesses and an authority look on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.ground.identifiers import RequestId
from escrow.releases.errors import RecipientNotPinned
from tests.attacks.test_recipient_changes import new_key, proof_of, propose, send, shown
from tests.attacks.test_release_clocks import WatchedWorld

ON_SQLITE_ALONE = True


@pytest.fixture
def world(watched_world: WatchedWorld) -> WatchedWorld:
    return watched_world


def proven_as_of(world: WatchedWorld, days_back: int) -> None:
    """Prove with a stolen key, through a portal whose clock is set back: both say the same day."""
    subject, truly = proof_of(world), world.clock.moment
    world.clock.moment = truly - timedelta(days=days_back)
    assert send(world, "prove-changed-recipient", subject).is_success
    world.clock.moment = truly
    world.keyholder.sequence()


def test_a_portal_and_a_stolen_key_date_the_proof_back(world) -> None:
    """Both signatures say that the cooling-off is over; the outsiders' words before it do not."""
    assert propose(world).is_success
    world.time_passes(world.clock.moment + timedelta(days=40))
    proven_as_of(world, days_back=40)
    assert shown(world)["changes"][0]["standing"] == "counts"
    request = world.request(recipient=new_key(world))
    world.try_act(request, "vendor", "consent-to-release", None)
    with pytest.raises(RecipientNotPinned):
        world.keyholder.open_confirmation(RequestId(request))


def test_an_honest_proof_counts_after_its_cooling_off(world) -> None:
    """The outsiders hold up nobody who is not in a hurry."""
    assert propose(world).is_success
    proven_as_of(world, days_back=0)
    world.time_passes(world.clock.moment + timedelta(days=32))
    request = world.request(recipient=new_key(world))
    world.act_on(request, "vendor", "consent-to-release")
    assert world.confirm(request, "agent_1")["state"] == "confirming"
