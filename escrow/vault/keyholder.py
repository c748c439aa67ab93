"""The keyholder as the other processes see it: a port, answered over its own socket.

Every call is synchronous and may be repeated: a call that was cut off is made again with the same
arguments and has the same effect once.
"""

from __future__ import annotations

from typing import Protocol

from escrow.ground.identifiers import AgreementId, DepositId, DocumentId, ProductId
from escrow.vault.lanes import LaneAnnouncement

__all__ = ["Keyholder", "LaneAnnouncement"]


class Keyholder(Protocol):
    """What portal and worker may ask of the process that holds the keys."""

    def open_lane(self, product_id: ProductId, deposit_id: DepositId) -> LaneAnnouncement:
        """Return the lane of a deposit that is being opened, making it the first time.

        Whoever implements this verifies it under the pinned key (``lanes.verify_lane``).

        Raises:
            LaneClosed: the deposit had its verdict, or took too long.
        """
        ...

    def seal_lasting_headers(self, deposit_id: DepositId) -> None:
        """Write Lock A and Lock B for every agreement in force and log the commitments.

        Pre-state: the deposit's parts are stored with their lane headers. Post-state: one header
        record for each agreement and part, and the event ``vault:deposit:headers-written``.

        Raises:
            LaneClosed, LaneMissing: too late, or no such deposit.
        """
        ...

    def sequence(self) -> None:
        """Take every pending ledger entry into the tree and sign a checkpoint."""
        ...

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Return the deposit's file keys, sealed to the worker's pinned recipient.

        The opening is logged first. The age file holds JSON: part id to base64 of the file key.

        Raises:
            LaneClosed: the deposit had its verdict; only the agents open it now.
            CommitmentBroken: a lane header no longer holds the key that was committed to.
        """
        ...

    def close_lane(self, deposit_id: DepositId) -> None:
        """Destroy the lane; a second time changes nothing."""
        ...

    def documents_recipient(self, product_id: ProductId) -> str:
        """Return the recipient that derived documents of a product are sealed to."""
        ...

    def open_document(self, document_id: DocumentId) -> bytes:
        """Return the 16-byte file key of a derived document.

        Whether the caller may read it is decided before, by its disclosure class.

        Raises:
            DocumentMissing: none of this id.
        """
        ...

    def hold_ceremony(self, agreement_id: AgreementId) -> None:
        """Deal a new epoch to the agents of the agreement's current version.

        Raises:
            BadQuorum, BadRecipient: the agreement's terms cannot be dealt.
        """
        ...
