"""What this room asks of the process that holds the keys."""

from __future__ import annotations

from typing import Protocol

from escrow.ground.identifiers import DepositId


class EndingsKeyholder(Protocol):
    """The keyholder's verbs for endings; every call may be repeated and has its effect once."""

    def sequence(self) -> None:
        """Take every pending ledger entry into the tree and sign a checkpoint."""
        ...

    def shred_deposit(self, deposit_id: DepositId) -> None:
        """Shred a deposit whose withdrawal, or retention, is due by the proven events.

        Raises:
            EndingTooEarly, HoldStands, RequestOpen, LastBuildable, RetentionKeeps: not now.
        """
        ...

    def destroy_agreement(self, ending_id: str) -> None:
        """Destroy the keys of an agreement whose destruction is decided by the proven events.

        Raises:
            EndingTooEarly, HoldStands, RequestOpen, TooFewWords, BeneficiaryNotServed,
            BackupHorizonUnknown: not now.
        """
        ...
