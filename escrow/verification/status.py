"""What each reader sees of a verification: states, verdicts, badge, cadence; pure.

Guarantees: nobody but the vendor is shown how far an examination is, which attempt it is, or that
our own error delays it; nobody is shown anything that came out of a deposit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.ground.clock import rfc3339
from escrow.verification.confirming import CONFIRMATION_TEXTS, Confirmation
from escrow.verification.examinations import SHOWN_TO_OTHERS, SHOWN_TO_VENDOR, State
from escrow.verification.ladder import REASON_TEXTS, Reason
from escrow.verification.report import VENDOR


@dataclass(frozen=True)
class Reported:
    """That a worker reported: the id of its report key, and its own verdict."""

    worker: str
    verdict: str


@dataclass(frozen=True)
class Standing:
    """Where the verification of one deposit stands; ``verdict`` only once a report is signed.

    Args:
        state: None when no examination was begun, which shows as queued.
        reason: why the verdict is ERROR or NOT TESTED.
        workers: who reported, the first one first.
        confirmation: how many workers stand behind a passed trial build.
    """

    state: State | None
    attempt: int = 0
    next_attempt_at: datetime | None = None
    verdict: str | None = None
    level: str | None = None
    reason: str | None = None
    signed_at: datetime | None = None
    workers: tuple[Reported, ...] = ()
    confirmation: Confirmation | None = None


def show_standing(standing: Standing, disclosure_class: str) -> dict[str, object]:
    """Return the fields that a reader of this class is shown."""
    state = standing.state or State.QUEUED
    words = SHOWN_TO_VENDOR if disclosure_class == VENDOR else SHOWN_TO_OTHERS
    shown: dict[str, object] = {
        "verification": words[state],
        "verdict": standing.verdict,
        "level": standing.level,
        "reason": standing.reason,
        "because": REASON_TEXTS[Reason(standing.reason)] if standing.reason else None,
        "reported_at": rfc3339(standing.signed_at) if standing.signed_at else None,
        "workers": [{"key": one.worker, "verdict": one.verdict} for one in standing.workers],
        "confirmation": CONFIRMATION_TEXTS.get(standing.confirmation)
        if standing.confirmation
        else None,
    }
    if disclosure_class == VENDOR:
        shown["attempt"] = standing.attempt
        if state is State.RETRYING and standing.next_attempt_at:
            shown["next_attempt_at"] = rfc3339(standing.next_attempt_at)
    return shown


@dataclass(frozen=True)
class Cadence:
    """How a product stands against the rhythm in which deposits are owed."""

    days_since: int | None
    due_at: datetime
    is_overdue: bool


def cadence_of(
    last_owed_at: datetime | None,
    in_force_since: datetime,
    cadence_days: int,
    grace_days: int,
    now: datetime,
) -> Cadence:
    """Return the cadence of a product under one agreement.

    Args:
        last_owed_at: when the last deposit was sealed that passed; None: none did yet.
        in_force_since: the clock runs from here until then.
    """
    due = (last_owed_at or in_force_since) + timedelta(days=cadence_days)
    since = (now - last_owed_at).days if last_owed_at else None
    return Cadence(since, due, now > due + timedelta(days=grace_days))


def summarise_report(predicate: Mapping[str, object]) -> dict[str, object]:
    """Return the few lines of a report that a person reads first.

    Args:
        predicate: of a statement that was built by :mod:`escrow.verification.report`; the fields
            are those that its class may see, so nothing is withheld here.
    """
    deposit = predicate["deposit"]
    number = deposit["number"] if isinstance(deposit, Mapping) else None
    examination, confirms = predicate["examination"], predicate.get("confirms")
    return {
        "deposit": number,
        "worker": examination.get("worker") if isinstance(examination, Mapping) else None,
        "confirms": confirms.get("worker") if isinstance(confirms, Mapping) else None,
        "verdict": predicate["verdict"],
        "ordered_level": predicate["orderedLevel"],
        "level_reached": predicate["levelReached"],
        "renews_badge": predicate["renewsBadge"],
        "meets_cadence": predicate["meetsCadence"],
        "levels": predicate["levels"],
        "counts": predicate["counts"],
        "findings": predicate.get("findings", predicate["findingCounts"]),
    }
