"""Permits: the only reason for which the vault opens anything.

A permit is built from ledger entries by pure rules of the rooms above and put together in the
keyholder; the vault checks only that it covers the thing at hand. It is never stored and never
sent: it exists between a decision and its act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.vault.errors import PermitRefused


class Purpose(StrEnum):
    """What something is opened for; printed wherever the opening is shown."""

    LASTING_HEADERS = "lasting-headers"
    VERIFICATION = "verification"
    RE_VERIFICATION = "re-verification"
    DRILL = "drill"
    RELEASE = "release"


@dataclass(frozen=True)
class Permit:
    """Leave to open one deposit, for one purpose, towards one recipient, for a while.

    Args:
        purpose: what for.
        deposit_id: of which deposit.
        agreement_id: under which agreement; None where the purpose is not an agreement's.
        recipient: the only age recipient that file keys may be sealed to.
        logged_as: the ledger entry that says so, appended before.
        expires_at: aware UTC.
    """

    purpose: Purpose
    deposit_id: DepositId
    agreement_id: AgreementId | None
    recipient: str
    logged_as: Sha256Hex
    expires_at: datetime

    def check_covers(self, purpose: Purpose, deposit_id: DepositId, now: datetime) -> None:
        """Return when this permit allows this, now.

        Raises:
            PermitRefused: for another purpose or deposit, or expired.
        """
        if (self.purpose, self.deposit_id) != (purpose, deposit_id) or now >= self.expires_at:
            raise PermitRefused(
                f"The permit does not cover opening {deposit_id} for {purpose}.",
                "Ask anew; a permit serves one deposit, one purpose and a short time.",
            )
