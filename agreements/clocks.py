"""Business-day arithmetic in the agreement's calendar.

A period of business days starts on the day after the event and ends with its last business day.
Public holidays come from the ``holidays`` library, whose data changes between versions: so every
computed date carries a digest of the very days it was computed from, and a later reader can tell
whether another date comes from other data.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version

import holidays

from agreements.errors import CalendarError

# A term longer than two years of business days is a mistake, and bounds the loop below.
MAX_BUSINESS_DAYS = 520

_DIGEST_DOMAIN = b"escrow-calendar/1\0"


@dataclass(frozen=True)
class Deadline:
    """A computed last day, with what a reader needs to compute it again.

    Attributes:
        last_day: the period ends when this day ends, in the agreement's zone.
        calendar_sha256: digest of the holidays and weekends that were skipped or passed.
        source: name and version of the library that the days came from.
    """

    last_day: date
    start: date
    business_days: int
    calendar: str
    calendar_sha256: str
    source: str


@cache
def calendar_codes() -> frozenset[str]:
    """Return every calendar that an agreement may name: ``DE``, ``GB-ENG``, ``XECB`` …"""
    countries = holidays.list_supported_countries(include_aliases=False)
    codes = {f"{country}-{part}" for country, parts in countries.items() for part in parts}
    markets = holidays.list_supported_financial(include_aliases=False)
    return frozenset(codes | set(countries) | set(markets))


def similar_calendars(code: str) -> tuple[str, ...]:
    """Return known calendars that somebody who typed this may have meant; maybe none."""
    wanted = code.upper().replace("_", "-")
    known = calendar_codes()
    if wanted in known:
        return (wanted,)
    country = wanted.split("-")[0]
    close = get_close_matches(wanted, known, n=3, cutoff=0.75)
    return tuple(dict.fromkeys([*close, *([country] if country in known else [])]))


def check_calendar(code: str) -> None:
    """Refuse a calendar that cannot be computed with.

    Raises:
        CalendarError: the ``holidays`` data has no such calendar.
    """
    if code in calendar_codes():
        return
    similar = similar_calendars(code)
    hint = f"Did you mean {' or '.join(similar)}?" if similar else "Name a country, such as DE."
    raise CalendarError(f"There is no business-day calendar {code[:40]!r}.", hint)


def is_business_day(day: date, calendar: str) -> bool:
    """Return whether this day is neither weekend nor public holiday.

    Raises:
        CalendarError: the calendar is unknown or has no data for the year.
    """
    check_calendar(calendar)
    return bool(_holidays_of(calendar, day.year).is_working_day(day))


def deadline(start: date, business_days: int, calendar: str) -> Deadline:
    """Return the last day of a period of business days that begins after ``start``.

    The day of the event is not counted (so the Interpretation rules of most laws, among them
    Regulation (EEC) 1182/71, article 3). Zero days end on ``start`` itself or, when that is no
    business day, on the next one.

    Args:
        start: the day of the event, in the agreement's zone.
        business_days: 0 to :data:`MAX_BUSINESS_DAYS`.
        calendar: such as ``GB-ENG``.

    Raises:
        CalendarError: the calendar is unknown, or has no data for a year in the period.
        ValueError: the number of days is out of range.
    """
    if not 0 <= business_days <= MAX_BUSINESS_DAYS:
        raise ValueError(f"business days must be 0 to {MAX_BUSINESS_DAYS}, not {business_days}")
    day = start
    if business_days == 0 and not is_business_day(start, calendar):
        day = _next_business_day(start, calendar)
    for _ in range(business_days):
        day = _next_business_day(day, calendar)
    return Deadline(
        last_day=day,
        start=start,
        business_days=business_days,
        calendar=calendar,
        calendar_sha256=_digest(calendar, start, day),
        source=f"holidays {version('holidays')}",
    )


def _next_business_day(day: date, calendar: str) -> date:
    day += timedelta(days=1)
    while not is_business_day(day, calendar):
        day += timedelta(days=1)
    return day


def _digest(calendar: str, start: date, last_day: date) -> str:
    """Digest which days of the period were free; equal data in another version, equal digest."""
    span = (start + timedelta(days=offset) for offset in range((last_day - start).days + 1))
    free = [day.isoformat() for day in span if not is_business_day(day, calendar)]
    data = {
        "calendar": calendar,
        "first": start.isoformat(),
        "free": free,
        "last": last_day.isoformat(),
    }
    # Sorted keys, no spaces and ASCII only: the same bytes as RFC 8785 would give.
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(_DIGEST_DOMAIN + canonical).hexdigest()


@cache
def _holidays_of(calendar: str, year: int) -> holidays.HolidayBase:
    country, _, part = calendar.partition("-")
    days: holidays.HolidayBase = (
        holidays.country_holidays(country, subdiv=part or None, years=year)
        if country in holidays.list_supported_countries(include_aliases=False)
        else holidays.financial_holidays(calendar, years=year)
    )
    # Outside its years the library answers "no holidays", which would shorten somebody's right.
    if not days.start_year <= year <= days.end_year:
        raise CalendarError(
            f"The calendar {calendar} says nothing about the year {year}.",
            "Update the holidays library of this installation, or name another calendar.",
        )
    return days
