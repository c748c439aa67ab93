"""Which report a reader gets, and what he is shown of a verification."""

from __future__ import annotations

from escrow.deposits.records import Deposit
from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ProductId
from escrow.parties.permissions import Principal, Role
from escrow.portal.finding import agreement_between
from escrow.verification import records
from escrow.verification.examinations import State
from escrow.verification.report import VENDOR
from escrow.verification.status import Standing

_CLASS_OF_ROLE = {
    Role.VENDOR: VENDOR,
    Role.BENEFICIARY: "beneficiary",
    Role.AGENT: "agent",
    Role.AUDITOR: "auditor",
    # Whoever runs the service sees states as an auditor does, and no documents.
    Role.OPERATOR: "auditor",
}


def class_of(asker: Principal) -> str:
    """Return the disclosure class in which the asker reads."""
    return _CLASS_OF_ROLE[asker.role]


def report_for(session: Session, asker: Principal, deposit: Deposit) -> records.ReportRow | None:
    """Return the newest report of a deposit that the asker may read; None when there is none."""
    deposit_id = DepositId(deposit.id)
    if class_of(asker) == VENDOR:
        return records.report_of(session, deposit_id, VENDOR)
    agreement = agreement_between(session, asker, ProductId(deposit.product_id))
    if agreement is None:
        return None
    return records.report_of(session, deposit_id, class_of(asker), agreement)


def reports_for(session: Session, asker: Principal, deposit: Deposit) -> list[records.ReportRow]:
    """Return the reports of a deposit that the asker may read: none or one."""
    found = report_for(session, asker, deposit)
    return [found] if found else []


def standing_of(session: Session, asker: Principal, deposit: Deposit) -> Standing:
    """Return where the verification of a deposit stands, from the asker's report when signed."""
    row = records.newest_examination(session, DepositId(deposit.id))
    report = report_for(session, asker, deposit)
    if row is None:
        return Standing(None)
    # A verdict is what a signed report says. The operator has none, and sees the state of things.
    shown = report or (row if asker.role is Role.OPERATOR else None)
    return Standing(
        state=State(row.state),
        attempt=row.attempt,
        next_attempt_at=row.next_attempt_at,
        verdict=shown.verdict if shown else None,
        level=shown.level if shown else None,
        reason=shown.reason if shown else None,
        signed_at=report.signed_at if report else None,
    )
