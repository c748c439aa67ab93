from datetime import timedelta

import pytest

from escrow.ground.signatures import SigningKey
from escrow.vault import records
from escrow.vault.age import open_header, parse_recipient, wrap_file_key
from escrow.vault.errors import KeyDestroyed, LaneClosed, LaneMissing
from escrow.vault.lane_keeping import close_lane, lane_identity, open_lane

LIFETIME = timedelta(hours=72)
SIGNER = SigningKey.from_seed(bytes(32))


def _open(session, keys, now):
    return open_lane(session, keys, SIGNER, "prd_1", "dep_1", now, LIFETIME)


def test_a_lane_opens_what_was_sealed_to_it(session, keys, now, file_key) -> None:
    announced = _open(session, keys, now)
    header = wrap_file_key(file_key, [parse_recipient(announced.recipient)])
    assert open_header(header, [lane_identity(session, keys, "dep_1", now)]) == file_key


def test_a_deposit_has_one_lane(session, keys, now) -> None:
    assert _open(session, keys, now) == _open(session, keys, now)


def test_a_lane_is_made_again_after_a_crash_before_its_row(session, keys, now) -> None:
    keys.create_key("lane-dep_1")
    announced = _open(session, keys, now)
    assert str(lane_identity(session, keys, "dep_1", now).recipient) == announced.recipient


def test_the_lanes_secret_is_not_in_the_database(session, keys, now) -> None:
    _open(session, keys, now)
    secret = lane_identity(session, keys, "dep_1", now).reveal().encode()
    assert secret not in records.lane_of(session, "dep_1").sealed_identity


def test_a_closed_lane_opens_nothing(session, keys, now) -> None:
    _open(session, keys, now)
    assert close_lane(session, keys, "dep_1", now)
    assert not close_lane(session, keys, "dep_1", now)
    with pytest.raises(LaneClosed):
        lane_identity(session, keys, "dep_1", now)
    with pytest.raises(LaneClosed):
        _open(session, keys, now)


def test_a_closed_lane_stays_closed_in_an_older_copy_of_the_database(session, keys, now) -> None:
    _open(session, keys, now)
    row = records.lane_of(session, "dep_1")
    kept = row.sealed_identity
    close_lane(session, keys, "dep_1", now)
    row.sealed_identity, row.closed_at = kept, None
    with pytest.raises(KeyDestroyed):
        lane_identity(session, keys, "dep_1", now)


def test_a_crash_between_key_and_row_closes_the_lane_all_the_same(session, keys, now) -> None:
    _open(session, keys, now)
    keys.destroy_key("lane-dep_1")
    with pytest.raises(KeyDestroyed):
        lane_identity(session, keys, "dep_1", now)
    assert close_lane(session, keys, "dep_1", now)


def test_a_lane_whose_time_is_over_opens_nothing(session, keys, now) -> None:
    _open(session, keys, now)
    assert [row.deposit_id for row in records.lanes_overdue(session, now + LIFETIME)] == ["dep_1"]
    with pytest.raises(LaneClosed):
        lane_identity(session, keys, "dep_1", now + LIFETIME)


def test_a_deposit_without_a_lane_says_so(session, keys, now) -> None:
    with pytest.raises(LaneMissing):
        lane_identity(session, keys, "dep_1", now)
    assert not close_lane(session, keys, "dep_1", now)
