"""Which report a reader gets, and what he is shown of a verification."""

from __future__ import annotations

from dataclasses import dataclass

from escrow.deposits.records import Deposit
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.parties.permissions import Principal, Role
from escrow.portal.finding import agreements_between
from escrow.verification import records
from escrow.verification.confirming import (
    Confirmation,
    combined,
    confirmation_of,
    is_worth_confirming,
)
from escrow.verification.examinations import State
from escrow.verification.report import VENDOR
from escrow.verification.status import Reported, Standing

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


def report_for(
    session: Session, asker: Principal, deposit: Deposit, *, second: bool = False
) -> records.ReportRow | None:
    """Return the newest report of a deposit that the asker may read; None when there is none.

    Args:
        second: that of a second worker, in the place of the first one's.
    """
    deposit_id = DepositId(deposit.id)
    under: list[AgreementId] = [records.ALL_AGREEMENTS]
    if class_of(asker) != VENDOR:
        under = agreements_between(session, asker, ProductId(deposit.product_id))
    # The first that there is: one that its vendor sealed himself has reports under one agreement.
    found = (
        records.report_of(session, deposit_id, class_of(asker), one, confirming=second)
        for one in under
    )
    return next((one for one in found if one is not None), None)


def reports_for(session: Session, asker: Principal, deposit: Deposit) -> list[records.ReportRow]:
    """Return the reports of a deposit that the asker may read: none or one."""
    found = report_for(session, asker, deposit)
    return [found] if found else []


@dataclass(frozen=True)
class _Reports:
    """The newest examination of a deposit, a second worker's look at it, and what the asker reads.

    Args:
        second_report: None until it is signed, and where it is of an earlier round.
    """

    first: records.ExaminationRow
    report: records.ReportRow | None
    second: records.ExaminationRow | None
    second_report: records.ReportRow | None

    @property
    def workers(self) -> tuple[Reported, ...]:
        """Which workers reported, the first one first."""
        pairs = ((self.first, self.report), (self.second, self.second_report))
        return tuple(
            Reported(made.worker, signed.verdict)
            for made, signed in pairs
            if made is not None and signed is not None and made.worker is not None
        )

    @property
    def confirmation(self) -> Confirmation | None:
        """How many workers stand behind a passed trial build; None where none passed."""
        if self.report is None or not is_worth_confirming(self.report.level):
            return None
        second = self.second_report
        level, verdict = (second.level, second.verdict) if second else (None, None)
        return confirmation_of(level, verdict, is_asked=self.second is not None)

    def combined(self, verdict: str) -> str:
        """Return the verdict of both reports, from the first one's."""
        return combined(verdict, self.second_report.verdict if self.second_report else None)


def _reports_of(session: Session, asker: Principal, deposit: Deposit) -> _Reports | None:
    rounds = records.rounds_of(session, DepositId(deposit.id))
    first = next((one for one in reversed(rounds) if not one.confirms), None)
    if first is None:
        return None
    second = next((one for one in rounds if one.confirms == first.id), None)
    signed = report_for(session, asker, deposit, second=True) if second else None
    if signed is not None and second is not None and signed.examination_id != second.id:
        signed = None
    return _Reports(first, report_for(session, asker, deposit), second, signed)


def standing_of(session: Session, asker: Principal, deposit: Deposit) -> Standing:
    """Return where the verification of a deposit stands, from the asker's report when signed."""
    found = _reports_of(session, asker, deposit)
    if found is None:
        return Standing(None)
    row, report = found.first, found.report
    # A verdict is what a signed report says. The operator has none, and sees the state of things.
    shown = report or (row if asker.role is Role.OPERATOR else None)
    verdict = shown.verdict if shown else None
    return Standing(
        state=State(row.state),
        attempt=row.attempt,
        next_attempt_at=row.next_attempt_at,
        verdict=found.combined(verdict) if verdict else None,
        level=shown.level if shown else None,
        reason=shown.reason if shown else None,
        signed_at=report.signed_at if report else None,
        workers=found.workers,
        confirmation=found.confirmation,
    )
