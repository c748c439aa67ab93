"""A sealed deposit keeps its lane until its lasting headers are written, however late that is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from escrow.operations.keyholder.lanes import LANE_LIFETIME, LATE_LIFETIME, SEALING_MARGIN
from escrow.operations.keyholder.wire import WORKER
from escrow.vault import records
from escrow.vault.errors import LaneClosed, LaneNeeded
from tests.attacks.test_review_keyholder_rows import DEPOSIT, PRODUCT, KeyholderWorld

WEEKS = timedelta(days=40)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[KeyholderWorld]:
    made = KeyholderWorld(tmp_path)
    yield made
    made.ledger.close()


def test_headers_are_written_long_after_the_lanes_time(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    world.clock.moment += WEEKS
    world.lanes.close_overdue()
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.grounds.sequence()
    assert world.lanes.open_for_verification(DEPOSIT, WORKER)["sealed"], (
        "the verification waited for them"
    )


def test_late_headers_leave_the_verification_a_day(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    world.clock.moment += WEEKS
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.grounds.sequence()
    world.clock.moment += LATE_LIFETIME
    world.lanes.close_overdue()
    with pytest.raises(LaneClosed):
        world.lanes.open_for_verification(DEPOSIT, WORKER)


def test_headers_in_time_do_not_lengthen_a_lanes_life(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.grounds.sequence()
    world.clock.moment += LANE_LIFETIME
    with pytest.raises(LaneClosed):
        world.lanes.open_for_verification(DEPOSIT, WORKER)


def test_a_draft_that_was_never_sealed_loses_its_lane(world: KeyholderWorld) -> None:
    world.lanes.open_lane(PRODUCT, DEPOSIT)
    world.clock.moment += LANE_LIFETIME + SEALING_MARGIN
    world.lanes.close_overdue()
    with world.acting() as session:
        lane = records.lane_of(session, DEPOSIT)
        assert lane is not None
        assert lane.sealed_identity is None


def test_a_lane_is_not_destroyed_while_its_deposit_is_being_sealed(world: KeyholderWorld) -> None:
    agreement_id = world.bring_into_force()
    world.lanes.open_lane(PRODUCT, DEPOSIT)
    world.clock.moment += LANE_LIFETIME - timedelta(seconds=1)
    # The portal has looked at the lane; the sweep comes between that and its transaction.
    recipient = world.lanes.open_lane(PRODUCT, DEPOSIT)["recipient"]
    world.clock.moment += timedelta(seconds=2)
    world.lanes.close_overdue()
    world.deposit(agreement_id, recipient)
    world.lanes.seal_lasting_headers(DEPOSIT)


def test_nobody_has_a_lane_closed_that_is_still_needed(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    with pytest.raises(LaneNeeded):
        world.lanes.close_lane(DEPOSIT)
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.lanes.close_lane(DEPOSIT)
