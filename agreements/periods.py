"""The periods of a release request: from the day of service to the day on which silence counts.

Pure; every day is computed with :mod:`agreements.clocks`. A curable ground first gives its cure
period in calendar days, then the objection period runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from agreements.clocks import Deadline, deadline
from agreements.terms import Agreement, Condition

# The agreement names a calendar and no zone. A day is over once it is over everywhere on earth
# (UTC-12): nobody loses a right a few hours early.
LAST_ZONE = timedelta(hours=12)


@dataclass(frozen=True)
class Periods:
    """What follows from one day of service.

    Attributes:
        served_on: the day that starts everything.
        cure_last_day: None where the ground is not curable.
        objection: the period in which the vendor may still object.
    """

    served_on: date
    cure_last_day: date | None
    objection: Deadline

    @property
    def ends_at(self) -> datetime:
        """When the vendor's silence counts; aware UTC."""
        return end_of(self.objection.last_day)

    @property
    def cure_ends_at(self) -> datetime | None:
        """When the cure period is over."""
        return end_of(self.cure_last_day) if self.cure_last_day else None


def periods_of(terms: Agreement, condition: Condition, served_on: date) -> Periods:
    """Return the periods that service on a day starts.

    Raises:
        CalendarError: the calendar says nothing about a year in question.
    """
    days = condition.cure_days if condition.curable else None
    cure_last_day = served_on + timedelta(days=days) if days else None
    objection = deadline(
        cure_last_day or served_on, terms.objection_period_business_days, terms.calendar
    )
    return Periods(served_on, cure_last_day, objection)


def deemed_service(terms: Agreement, sent_on: date) -> date:
    """Return the day on which a notice to the registered office counts as served.

    Raises:
        CalendarError: as :func:`periods_of`.
    """
    days = terms.requests.deemed_service_business_days
    return deadline(sent_on, days, terms.calendar).last_day


def consent_revocable_until(terms: Agreement, consented_at: datetime) -> datetime:
    """Return until when a consent can be taken back.

    Raises:
        CalendarError: as :func:`periods_of`.
    """
    days = terms.requests.consent_revocable_business_days
    return end_of(deadline(consented_at.astimezone(UTC).date(), days, terms.calendar).last_day)


def end_of(day: date) -> datetime:
    """Return the moment at which a day is over everywhere."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    return midnight + LAST_ZONE
