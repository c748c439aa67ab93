"""When the quarterly session is asked for by itself, and of which agreements together.

A key that was dealt is renewed within a quarter, so the agents are asked as long before its end as
they have time to answer: whoever answers in time is never overdue. Agreements of the same agents
that are due soon after go along, so that a panel stays one session and one mail. What is decided
here is a wish like any other; the keyholder looks at everything anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from escrow.custody import records
from escrow.custody.sessions import ANSWERING_TIME, MAX_AGREEMENTS
from escrow.custody.standing import TERM
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId

# After the dealing; the quarter ends with the time to answer.
ASKED_AFTER = TERM - ANSWERING_TIME

# A month: after some quarters the agreements of a panel are due on one day.
GO_ALONG = timedelta(days=30)

# Stands where a person's id would, in the rows of sessions that nobody asked for.
SCHEDULE = "schedule"


def session_due_at(dealt_at: datetime) -> datetime:
    """Return when the agents are asked for the session that renews a key."""
    return dealt_at + ASKED_AFTER


def panels_due(session: Session, now: datetime) -> list[Sequence[AgreementId]]:
    """Return the agreements that are due, those of the same agents together.

    Left out: one in an open session that renews its key, one whose newer key waits for its
    canary, one that is not in force or has ended. A session that ran out is due again.
    """
    return list(_panels(session, now))


def _panels(session: Session, now: datetime) -> Iterator[Sequence[AgreementId]]:
    due = records.agreements_to_renew(session, now - ASKED_AFTER)
    soon = records.agreements_to_renew(session, now - ASKED_AFTER + GO_ALONG) if due else []
    taken = set[AgreementId]()
    for one in due:
        if one in taken:
            continue
        same = set(records.panel_of(session, one))
        if one not in same:
            # Somebody deleted its shares: it has nobody to ask, and must not stop the others.
            continue
        # The one that is due is first: of a panel larger than a session it must not be left out.
        others = (other for other in soon if other in same and other not in taken | {one})
        panel = [one, *islice(others, MAX_AGREEMENTS - 1)]
        taken |= set(panel)
        yield panel
