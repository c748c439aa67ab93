"""Business days: known holidays, weekends that are no Saturday, data that ends."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest

from agreements.clocks import (
    MAX_BUSINESS_DAYS,
    calendar_codes,
    check_calendar,
    deadline,
    is_business_day,
    similar_calendars,
)
from agreements.errors import CalendarError


@pytest.mark.parametrize(
    ("start", "days", "calendar", "last_day"),
    [
        (date(2026, 3, 2), 10, "GB-ENG", date(2026, 3, 16)),
        # Good Friday, the weekend and Easter Monday lie between.
        (date(2026, 4, 2), 1, "GB-ENG", date(2026, 4, 7)),
        (date(2026, 4, 2), 1, "GB-SCT", date(2026, 4, 6)),
        (date(2026, 4, 2), 1, "US", date(2026, 4, 3)),
        # Christmas Eve to the first business day after Boxing Day's substitute.
        (date(2026, 12, 24), 1, "GB-ENG", date(2026, 12, 29)),
        # Corpus Christi is a holiday in Bavaria and none in Berlin.
        (date(2026, 6, 3), 1, "DE-BY", date(2026, 6, 5)),
        (date(2026, 6, 3), 1, "DE-BE", date(2026, 6, 4)),
        # In Saudi Arabia the weekend is Friday and Saturday.
        (date(2026, 7, 2), 1, "SA", date(2026, 7, 5)),
        (date(2026, 3, 7), 0, "GB-ENG", date(2026, 3, 9)),
        (date(2026, 3, 9), 0, "GB-ENG", date(2026, 3, 9)),
        (date(2026, 12, 31), 1, "XECB", date(2027, 1, 4)),
    ],
)
def test_a_period_ends_with_its_last_business_day(start, days, calendar, last_day):
    assert deadline(start, days, calendar).last_day == last_day


def test_a_deadline_tells_from_which_days_it_was_computed():
    one = deadline(date(2026, 4, 2), 3, "GB-ENG")
    same = deadline(date(2026, 4, 2), 3, "GB-ENG")
    other = deadline(date(2026, 4, 2), 3, "GB-SCT")
    assert one == same
    assert one.calendar_sha256 != other.calendar_sha256
    assert one.source.startswith("holidays 0.")


def test_the_digest_of_a_period_is_fixed():
    canonical = (
        b'{"calendar":"GB-ENG","first":"2026-04-02","free":["2026-04-03","2026-04-04",'
        b'"2026-04-05","2026-04-06"],"last":"2026-04-07"}'
    )
    found = deadline(date(2026, 4, 2), 1, "GB-ENG").calendar_sha256
    assert found == hashlib.sha256(b"escrow-calendar/1\0" + canonical).hexdigest()


def test_an_unknown_calendar_is_refused_with_a_near_one():
    with pytest.raises(CalendarError, match="GB-ENG"):
        check_calendar("gb_eng")
    with pytest.raises(CalendarError, match="Name a country"):
        check_calendar("Narnia")


def test_a_year_without_data_is_refused_rather_than_counted_without_holidays():
    with pytest.raises(CalendarError, match="says nothing about the year"):
        is_business_day(date(2101, 5, 3), "AE")


def test_a_period_has_bounds():
    with pytest.raises(ValueError, match="0 to 520"):
        deadline(date(2026, 1, 1), MAX_BUSINESS_DAYS + 1, "DE")


def test_near_calendars_know_the_country():
    assert similar_calendars("DE-XX")[-1] == "DE"
    assert similar_calendars("??") == ()
    assert {"DE", "GB-ENG", "US-NY", "XECB"} <= calendar_codes()
