"""The service's side of the keyholder: its port, answered over the socket."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

from escrow.ground.identifiers import (
    AgreementId,
    DepositId,
    DocumentId,
    ProductId,
    RequestId,
)
from escrow.ground.signatures import PublicKey
from escrow.operations.keyholder.wire import KeyholderOut, call
from escrow.vault.lanes import LaneAnnouncement, verify_lane

# The keyholder loads its libraries in under two seconds; on a busy machine ten times that.
START_TIMEOUT_SECONDS = 30.0


class SocketKeyholder:
    """Asks the keyholder of this machine; what it says of itself is checked under its pinned key.

    Args:
        socket_path: the keyholder's socket.
        key: the keyholder's role key, as the trust root has it.
    """

    def __init__(self, socket_path: Path, key: PublicKey) -> None:
        self._socket = socket_path
        self._key = key

    @staticmethod
    def wait_until_up(socket_path: Path, ended: Callable[[], int | None]) -> None:
        """Return once a keyholder answers.

        Args:
            socket_path: its socket.
            ended: returns its exit code once its process has ended.

        Raises:
            KeyholderOut: it ended, or does not answer in :data:`START_TIMEOUT_SECONDS`.
        """
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                call(socket_path, "ping", {})
                return
            except KeyholderOut:
                if ended() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def open_lane(self, product_id: ProductId, deposit_id: DepositId) -> LaneAnnouncement:
        """Return the deposit's fresh lane, once its signature holds under the pinned key."""
        answer = self._ask("open-lane", product_id=product_id, deposit_id=deposit_id)
        return verify_lane(
            deposit_id, answer["recipient"], base64.b64decode(answer["signature"]), self._key
        )

    def seal_lasting_headers(self, deposit_id: DepositId) -> None:
        """Have the lasting headers of a sealed deposit written and logged; safe to repeat."""
        call(self._socket, "seal-lasting-headers", {"deposit_id": deposit_id})

    def sequence(self) -> None:
        """Have every waiting ledger entry sequenced now."""
        call(self._socket, "sequence", {})

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Return the deposit's file keys, sealed to the pinned worker; the opening is logged."""
        answer = self._ask("open-for-verification", deposit_id=deposit_id)
        return base64.b64decode(answer["sealed"])

    def close_lane(self, deposit_id: DepositId) -> None:
        """Have the deposit's lane destroyed; safe to repeat."""
        call(self._socket, "close-lane", {"deposit_id": deposit_id})

    def documents_recipient(self, product_id: ProductId) -> str:
        """Return the recipient that a product's derived documents are sealed to."""
        return self._ask("documents-recipient", product_id=product_id)["recipient"]

    def open_document(self, document_id: DocumentId) -> bytes:
        """Return the file key of a derived document."""
        return base64.b64decode(self._ask("open-document", document_id=document_id)["file_key"])

    def hold_ceremony(self, agreement_id: AgreementId) -> None:
        """Have a fresh sealing key dealt to the agreement's agents."""
        call(self._socket, "hold-ceremony", {"agreement_id": agreement_id})

    def open_confirmation(self, request_id: RequestId) -> None:
        """Have a round of confirmation opened for an approved request; safe to repeat."""
        call(self._socket, "open-confirmation", {"request_id": request_id})

    def check_release_share(self, request_id: RequestId, file_sha256: str) -> None:
        """Have a share compared with the one that was dealt."""
        arguments = {"request_id": request_id, "file_sha256": file_sha256}
        call(self._socket, "check-release-share", arguments)

    def execute_release(self, request_id: RequestId) -> None:
        """Have a release decided and carried out; safe to repeat."""
        call(self._socket, "execute-release", {"request_id": request_id})

    def _ask(self, verb: str, **arguments: str) -> dict[str, str]:
        answer = call(self._socket, verb, arguments)
        if not isinstance(answer, dict):
            raise KeyholderOut(
                "The keyholder gave no answer of the expected form.",
                "Run the service and the keyholder from the same version.",
            )
        return answer
