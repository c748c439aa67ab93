"""The other processes' side of the keyholder: its port, asked over a line."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable, Mapping

from escrow.ground.identifiers import (
    AgreementId,
    DepositId,
    DocumentId,
    PartId,
    ProductId,
    RequestId,
)
from escrow.ground.signatures import PublicKey
from escrow.operations.calls.lines import CALL_TIMEOUT_SECONDS, Line, ask
from escrow.operations.keyholder.wire import KeyholderOut
from escrow.vault.lanes import LaneAnnouncement, verify_lane

# The keyholder loads its libraries in under two seconds; on a busy machine ten times that.
START_TIMEOUT_SECONDS = 30.0

# Headers and checkpoint take a fraction of a second, on a busy machine a whole one. A vendor waits
# for them at his terminal, and his push holds one of the few places in scratch: after this he is
# told that they follow.
ACKNOWLEDGING_SECONDS = 30.0

# A panel of five thousand agreements takes minutes; the keyholder goes on when nobody waits.
SESSION_SECONDS = 900.0


class RemoteKeyholder:
    """Asks the keyholder over a line; what it says of itself is checked under its pinned key.

    Args:
        line: the way to it.
        key: the keyholder's role key, as the trust root has it.
    """

    def __init__(self, line: Line, key: PublicKey) -> None:
        self._line = line
        self._key = key

    def open_lane(self, product_id: ProductId, deposit_id: DepositId) -> LaneAnnouncement:
        """Return the deposit's fresh lane, once its signature holds under the pinned key."""
        answer = self._ask("open-lane", product_id=product_id, deposit_id=deposit_id)
        return verify_lane(
            deposit_id, answer["recipient"], base64.b64decode(answer["signature"]), self._key
        )

    def seal_lasting_headers(self, deposit_id: DepositId) -> None:
        """Have the lasting headers of a sealed deposit written and logged; safe to repeat."""
        arguments = {"deposit_id": deposit_id}
        call(self._line, "seal-lasting-headers", arguments, ACKNOWLEDGING_SECONDS)

    def sequence(self) -> None:
        """Have every waiting ledger entry sequenced now."""
        call(self._line, "sequence", {}, ACKNOWLEDGING_SECONDS)

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Return the deposit's file keys, sealed to the pinned worker; the opening is logged."""
        answer = self._ask("open-for-verification", deposit_id=deposit_id)
        return base64.b64decode(answer["sealed"])

    def close_lane(self, deposit_id: DepositId) -> None:
        """Have the deposit's lane destroyed; safe to repeat."""
        call(self._line, "close-lane", {"deposit_id": deposit_id})

    def documents_recipient(self, product_id: ProductId) -> str:
        """Return the recipient that a product's derived documents are sealed to."""
        return self._ask("documents-recipient", product_id=product_id)["recipient"]

    def open_document(self, document_id: DocumentId) -> bytes:
        """Return the file key of a derived document."""
        return base64.b64decode(self._ask("open-document", document_id=document_id)["file_key"])

    def hold_ceremony(self, agreement_id: AgreementId) -> None:
        """Have a fresh sealing key dealt to the agreement's agents."""
        call(self._line, "hold-ceremony", {"agreement_id": agreement_id})

    def open_confirmation(self, request_id: RequestId) -> None:
        """Have a round of confirmation opened for an approved request; safe to repeat."""
        call(self._line, "open-confirmation", {"request_id": request_id})

    def check_release_share(self, request_id: RequestId, file_sha256: str) -> None:
        """Have a share compared with the one that was dealt."""
        arguments = {"request_id": request_id, "file_sha256": file_sha256}
        call(self._line, "check-release-share", arguments)

    def execute_release(self, request_id: RequestId) -> None:
        """Have a release decided and carried out; safe to repeat."""
        call(self._line, "execute-release", {"request_id": request_id})

    def open_session(self, session_id: str) -> None:
        """Have a session of the agents opened; safe to repeat."""
        call(self._line, "open-session", {"session_id": session_id}, SESSION_SECONDS)

    def settle_session(self, session_id: str) -> None:
        """Have the answers to a session noted, and carried out where all are there."""
        call(self._line, "settle-session", {"session_id": session_id}, SESSION_SECONDS)

    def carry_out_session(self, session_id: str) -> None:
        """Have a session carried out with the k shares that are there; safe to repeat."""
        call(self._line, "carry-out-session", {"session_id": session_id}, SESSION_SECONDS)

    def shred_deposit(self, deposit_id: DepositId) -> None:
        """Have a deposit shredded whose withdrawal or retention is due; safe to repeat."""
        call(self._line, "shred-deposit", {"deposit_id": deposit_id})

    def destroy_agreement(self, ending_id: str) -> None:
        """Have a destruction decided and carried out; safe to repeat."""
        call(self._line, "destroy-agreement", {"ending_id": ending_id})

    def restore_headers(
        self, agreement_id: AgreementId, deposit_id: DepositId, part_id: PartId
    ) -> None:
        """Have the offered header records of a part proven and written again; safe to repeat."""
        arguments = {"agreement_id": agreement_id, "deposit_id": deposit_id, "part_id": part_id}
        call(self._line, "restore-headers", arguments)

    def _ask(self, verb: str, **arguments: str) -> dict[str, str]:
        answer = call(self._line, verb, arguments)
        if not isinstance(answer, dict):
            raise KeyholderOut(
                "The keyholder gave no answer of the expected form.",
                "Run all processes of the installation from the same version.",
            )
        return answer


def call(
    line: Line,
    verb: str,
    arguments: Mapping[str, str],
    patience_seconds: float = CALL_TIMEOUT_SECONDS,
) -> object:
    """Ask the keyholder for one thing and return its answer.

    Args:
        patience_seconds: how long it may be silent; what it does then, it goes on doing.

    Raises:
        KeyholderOut: nobody answers there, or not the keyholder that is pinned.
        EscrowError: whatever the keyholder raised, of the same family, code and words.
    """
    try:
        with line.connected() as connection:
            connection.settimeout(patience_seconds)
            return ask(connection, verb, arguments)
    except ssl.SSLError as problem:
        raise KeyholderOut(
            "The keyholder and this process do not know each other's certificates.",
            "Nothing was lost; have the operator compare the pinned certificates of both.",
        ) from problem
    except (OSError, ValueError) as problem:
        raise KeyholderOut(
            "The keyholder does not answer.",
            "Nothing was lost; try again in a moment, and have the operator look if it stays.",
        ) from problem


def wait_until_up(line: Line, ended: Callable[[], int | None]) -> None:
    """Return once a keyholder answers.

    Args:
        line: the way to it.
        ended: returns its exit code once its process has ended; None for one that is not ours.

    Raises:
        KeyholderOut: it ended, or does not answer in :data:`START_TIMEOUT_SECONDS`.
    """
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            call(line, "ping", {})
            return
        except KeyholderOut:
            if ended() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
