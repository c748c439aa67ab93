"""The clock rule: who sets one clock forward takes nothing from anybody."""

from datetime import UTC, datetime, timedelta

import pytest

from escrow.releases.clocks import AUTHORITY, WALL, WITNESSES, Times, rights_time
from escrow.releases.errors import ClocksTooFew

ON_SQLITE_ALONE = True

NOW = datetime(2026, 1, 17, 12, tzinfo=UTC)
LATER, LONG_AGO = NOW + timedelta(days=30), NOW - timedelta(days=3)
NOBODY: frozenset[str] = frozenset()
BOTH = frozenset({AUTHORITY, WITNESSES})


def times(wall=NOW, authority=NOW, witnesses=NOW) -> Times:
    return Times(wall, {AUTHORITY: authority, WITNESSES: witnesses})


@pytest.mark.parametrize("forward", ["wall", "authority", "witnesses"])
def test_one_clock_set_forward_changes_nothing_and_silences_nobody(forward) -> None:
    said = times(**{forward: LATER})
    assert said.silent() == ()
    assert rights_time(said, BOTH).at == NOW


def test_a_source_that_is_behind_both_others_is_silent_and_left_out_once_that_is_logged() -> None:
    said = times(authority=LONG_AGO)
    assert said.silent() == (AUTHORITY,)
    assert rights_time(said, NOBODY).at == LONG_AGO
    found = rights_time(said, frozenset({AUTHORITY}))
    assert (found.at, found.sources, found.left_out) == (NOW, (WALL, WITNESSES), (AUTHORITY,))
    assert "silent and left out" in found.text


def test_a_source_that_speaks_again_counts_again() -> None:
    assert rights_time(times(), BOTH).sources == (WALL, AUTHORITY, WITNESSES)


def test_a_clock_set_forward_cannot_leave_both_others_out() -> None:
    said = times(wall=LATER, authority=LONG_AGO)
    # The wall clock agrees with nobody; the silent one is behind both, and the witnesses count.
    assert said.silent() == (AUTHORITY,)
    assert rights_time(said, BOTH).at == NOW
    alone = times(wall=LATER, authority=None, witnesses=None)
    assert alone.silent() == ()
    with pytest.raises(ClocksTooFew):
        rights_time(alone, BOTH)


def test_of_two_sources_none_can_be_left_out() -> None:
    said = Times(LATER, {WITNESSES: NOW})
    assert said.silent() == ()
    assert rights_time(said, BOTH).at == NOW
    with pytest.raises(ClocksTooFew):
        rights_time(Times(LATER, {WITNESSES: None}), BOTH)


def test_without_anybody_outside_the_wall_clock_alone_counts_and_says_so() -> None:
    found = rights_time(Times(NOW, {}), NOBODY)
    assert (found.at, found.sources) == (NOW, (WALL,))
    assert found.text.startswith("wall clock of the keyholder")
