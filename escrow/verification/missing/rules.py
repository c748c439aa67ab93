"""When is a deposit missing, and what does its notice say; pure.

Guarantees: one notice for each period, however late somebody looks: the periods are counted from
the last deposit that passed, so while none comes every period has its notice. One that a deposit
followed before anybody looked has none: nothing is missing any more. A verdict of ERROR ends no
period: it is ours, and still proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.evidence.statements import MISSING_DEPOSIT_TYPE, Stamp, statement
from escrow.ground.clock import rfc3339

VERSION = 1

# A vendor who is silent for years has a notice for each period; one look makes so many at most.
NOTICES_AT_ONCE = 12


@dataclass(frozen=True)
class Owed:
    """What one agreement is owed of one product.

    Args:
        level: the level that the agreement orders.
        since: the last deposit that reached it was sealed then; else the agreement came into
            force then.
        last_number: of that deposit; None where none did.
        cadence: a deposit is due so long after the last.
        grace: and missing so long after it was due.
    """

    agreement_id: str
    version: int
    product_id: str
    level: str
    since: datetime
    last_number: int | None
    cadence: timedelta
    grace: timedelta

    def missed(self, now: datetime) -> list[datetime]:
        """Return when each deposit that is missing by now was due, oldest first."""
        due = self.since + self.cadence
        found: list[datetime] = []
        while now > due + self.grace and len(found) < NOTICES_AT_ONCE:
            found.append(due)
            due += self.cadence
        return found


def missing_statement(stamp: Stamp, owed: Owed, due_at: datetime, account: str) -> bytes:
    """Return the bytes of a notice.

    The same facts give the same bytes, so that it may be made again after a crash.

    Args:
        account: digest of the ledger's entry that the worker had read last: what came later it
            did not know.
    """
    predicate = {
        "v": VERSION,
        "service": stamp.to_json(),
        "agreement": {"id": owed.agreement_id, "version": owed.version},
        "deposit": {"productId": owed.product_id, "lastNumber": owed.last_number},
        "orderedLevel": owed.level,
        "cadenceDays": owed.cadence.days,
        "graceDays": owed.grace.days,
        "waitedSince": rfc3339(owed.since),
        "dueAt": rfc3339(due_at),
        "missingSince": rfc3339(due_at + owed.grace),
        "account": account,
    }
    return statement([(owed.product_id, account)], MISSING_DEPOSIT_TYPE, predicate)
