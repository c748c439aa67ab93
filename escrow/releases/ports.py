"""What this room asks of the process that holds the keys."""

from __future__ import annotations

from typing import Protocol

from escrow.ground.identifiers import RequestId


class ReleaseKeyholder(Protocol):
    """The keyholder's verbs for releases; every call may be repeated and has its effect once."""

    def sequence(self) -> None:
        """Take every pending ledger entry into the tree and sign a checkpoint."""
        ...

    def open_confirmation(self, request_id: RequestId) -> None:
        """Open a round of confirmation for an approved request: one-time key and offer, logged.

        Raises:
            NotApproved, ObjectionStands, AgreementChanged: the proven events do not allow it.
        """
        ...

    def check_release_share(self, request_id: RequestId, file_sha256: str) -> None:
        """Return when a share that was sent in the newest round is the one that was dealt.

        Raises:
            ShareOfAnother, BadShareFile, NoIdentityMatches: it is not.
        """
        ...

    def execute_release(self, request_id: RequestId) -> None:
        """Decide from the ledger, write the intent, re-wrap, burn the key, log; once.

        Raises:
            TooFewConfirmations, NotApproved, ObjectionStands, AgreementChanged: not now.
        """
        ...
