"""A keyholder without a process of its own: real lanes, real signatures, a real sequencer.

It differs from the real one in what it keeps (a lane's secret follows from the deposit's id, so
that it outlives a restart) and in what it leaves out: it writes no lasting headers, and only
proves that they could be written, by opening every lane header with the lane's secret.
"""

from __future__ import annotations

import hashlib

from escrow.deposits import records as deposits
from escrow.ground.database import Database
from escrow.ground.errors import Unavailable
from escrow.ground.identifiers import AgreementId, DepositId, DocumentId, ProductId
from escrow.ground.signatures import PublicKey, Signer
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.ledger.sequencing import Sequencer
from escrow.vault.age import open_header
from escrow.vault.age_keys import FileKey, X25519Identity
from escrow.vault.errors import DocumentMissing, LaneClosed, LaneMissing
from escrow.vault.lanes import Lane, LaneAnnouncement


class KeyholderOut(Unavailable):
    """The keyholder was told not to answer."""

    code = "testing.keyholder-out"


class KeyholderInside:
    """A :class:`~escrow.vault.keyholder.Keyholder` for trials.

    Args:
        database: the service's.
        signer: the keyholder's role key.
        scribe: writes in the keyholder's role.
        sequencer: over the same database.
    """

    def __init__(
        self, database: Database, signer: Signer, scribe: Scribe, sequencer: Sequencer
    ) -> None:
        self._database = database
        self._signer = signer
        self._scribe = scribe
        self._sequencer = sequencer
        self._closed: set[DepositId] = set()
        self._headed: set[DepositId] = set()
        # While set, these calls fail as they do when the other process is down.
        self.is_out = False
        self.is_out_for_headers = False

    @property
    def key(self) -> PublicKey:
        """The key to pin."""
        return self._signer.public

    def open_lane(self, product_id: ProductId, deposit_id: DepositId) -> LaneAnnouncement:
        """Return a deposit's lane, made the first time."""
        self._check_up()
        return self._lane(deposit_id).announce(self._signer)

    def seal_lasting_headers(self, deposit_id: DepositId) -> None:
        """Prove that every header could be written, and log that."""
        self._check_up()
        if self.is_out_for_headers:
            raise _out()
        if deposit_id in self._headed:
            return
        keys = self.file_keys(deposit_id)
        with self._database.writing() as session:
            deposit = deposits.deposit_by_id(session, deposit_id)
            if deposit is None:
                raise LaneMissing("There is no such deposit.", "Check the id.")
            data = {"deposit_id": deposit_id, "headers": len(keys)}
            stream = Stream("product", deposit.product_id)
            event = NewEvent(stream, "vault:deposit:headers-written", "keyholder", data)
            self._scribe.append(session, event)
        self._headed.add(deposit_id)

    def sequence(self) -> None:
        """Sequence every pending entry."""
        self._check_up()
        with self._database.writing() as session:
            self._sequencer.sequence(session)

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Seal no keys to a worker: trials take them from :meth:`file_keys`."""
        raise LaneClosed("This keyholder serves no worker.", "Use file_keys.")

    def close_lane(self, deposit_id: DepositId) -> None:
        """Forget a lane."""
        self._check_up()
        self._closed.add(deposit_id)

    def documents_recipient(self, product_id: ProductId) -> str:
        """Serve no documents."""
        raise DocumentMissing("This keyholder keeps no documents.", "Use the real one.")

    def open_document(self, document_id: DocumentId) -> bytes:
        """Serve no documents."""
        raise DocumentMissing("This keyholder keeps no documents.", "Use the real one.")

    def hold_ceremony(self, agreement_id: AgreementId) -> None:
        """Deal nothing."""
        raise DocumentMissing("This keyholder holds no ceremonies.", "Use the real one.")

    def file_keys(self, deposit_id: DepositId) -> dict[str, FileKey]:
        """Return the file keys of the parts that were sent with a deposit, by part id."""
        lane = self._lane(deposit_id)
        with self._database.reading() as session:
            parts = deposits.parts_of(session, deposit_id)
        return {
            part.id: open_header(part.lane_header, [lane.identity])
            for part in parts
            if part.carried_from is None
        }

    def _lane(self, deposit_id: DepositId) -> Lane:
        if deposit_id in self._closed:
            raise LaneClosed("The lane is closed.", "Make a new deposit.")
        seed = hashlib.sha256(f"lane/{deposit_id}".encode()).digest()
        return Lane(deposit_id, X25519Identity(seed))

    def _check_up(self) -> None:
        if self.is_out:
            raise _out()


def _out() -> KeyholderOut:
    return KeyholderOut("The keyholder does not answer.", "Start it.")
