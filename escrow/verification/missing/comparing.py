"""What the ledger says of notices of missing deposits, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from escrow.evidence.statements import STATEMENT_FIELD
from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.verification.missing.records import MissingDepositRow
from escrow.verification.missing.watch import SIGNED


def _notice(states: States, recorded: RecordedEvent) -> None:
    event, data = recorded.event, recorded.event.data
    states[(str(data[STATEMENT_FIELD]),)] = {
        "agreement_id": event.stream.id,
        "product_id": data["product_id"],
        "entry_sha256": recorded.entry_sha256,
    }


def _notices(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, MissingDepositRow):
        facts: Facts = {"agreement_id": row.agreement_id, "product_id": row.product_id}
        yield (row.statement_sha256,), facts | {"entry_sha256": row.entry_sha256}


COMPARERS = (Comparer("missing_deposit", frozenset({SIGNED}), _notice, _notices),)
