"""How an agreement's custody stands: who of its agents is known to hold his share; pure.

Live is who proved it within the term, or was dealt to within it. Overdue is who is past the term
but within the grace, which still counts; past both he counts as not live, whatever he says. Fewer
than k + 1 live agents are an alarm; fewer than k are *custody impaired*: what is sealed under this
key may never open again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agreements.terms import Agreement

# A quarter of a year, the longest one; then a month for those who are away.
TERM = timedelta(days=92)
GRACE = timedelta(days=30)


class Standing(StrEnum):
    """The word that status, receipts and certificates show; stored, never renamed."""

    NOT_DEALT = "not-dealt"
    SOUND = "sound"
    ALARM = "alarm"
    IMPAIRED = "custody-impaired"


@dataclass(frozen=True)
class ShareSeen:
    """One agent's share of the epoch that counts.

    Args:
        seen_at: when he last proved that he holds it; when it was dealt, where he never did.
    """

    index: int
    seen_at: datetime


@dataclass(frozen=True)
class CustodyView:
    """Custody of one agreement at one moment.

    Args:
        live: numbers of the shares whose holders count as live.
        overdue: those of them who have not proved it within the term.
        due_at: when the first live one becomes overdue; None where nobody is live.
    """

    standing: Standing
    epoch: int
    k: int
    n: int
    live: tuple[int, ...]
    overdue: tuple[int, ...]
    due_at: datetime | None


def custody_of(
    epoch: int, k: int, n: int, shares: Sequence[ShareSeen], now: datetime
) -> CustodyView:
    """Return how custody stands."""
    live = [one for one in shares if now < one.seen_at + TERM + GRACE]
    return CustodyView(
        standing=_standing(k, len(live)),
        epoch=epoch,
        k=k,
        n=n,
        live=tuple(one.index for one in live),
        overdue=tuple(one.index for one in live if now >= one.seen_at + TERM),
        due_at=min((one.seen_at + TERM for one in live), default=None),
    )


def _standing(k: int, live: int) -> Standing:
    if live < k:
        return Standing.IMPAIRED
    return Standing.ALARM if live < k + 1 else Standing.SOUND


def concentrated(agreement: Agreement) -> Mapping[str, int]:
    """Return the organisations that alone could open or block, with their number of shares.

    With k or more shares one opens alone; with more than n - k it blocks every release.
    """
    k, n = agreement.sealing.k, len(agreement.agents)
    held = Counter(agent.organisation for agent in agreement.agents)
    return {name: count for name, count in held.items() if count >= k or count > n - k}
