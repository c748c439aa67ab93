"""What the ledger says of signed reports, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from escrow.evidence.statements import STATEMENT_FIELD
from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.verification.examinations import CONFIRMATION_SIGNED, REPORT_SIGNED
from escrow.verification.records import ReportRow

_OF_REPORT = ("examination_id", "deposit_id", "verdict", "level")


def _report(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    facts: Facts = {name: data[name] for name in _OF_REPORT}
    states[(str(data[STATEMENT_FIELD]),)] = facts | {"entry_sha256": recorded.entry_sha256}


def _reports(session: Session) -> Iterator[tuple[Key, Facts]]:
    # One statement may serve several readers, each with a row of his own.
    seen: set[str] = set()
    for row in every_row(session, ReportRow):
        if row.statement_sha256 not in seen:
            seen.add(row.statement_sha256)
            names = (*_OF_REPORT, "entry_sha256")
            yield (row.statement_sha256,), {name: getattr(row, name) for name in names}


_SIGNED = frozenset({REPORT_SIGNED, CONFIRMATION_SIGNED})

COMPARERS = (Comparer("report", _SIGNED, _report, _reports),)
