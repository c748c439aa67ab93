"""Remove ciphertext that nobody can open any more from the store, as far as the store lets it go.

The keyholder lists it, in the transaction in which the headers went, and the ledger bears it out
(:mod:`escrow.endings.letting_go`). Removing is safe to repeat; it is logged and noted last. What
a lock keeps is tried again when the lock is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.endings.letting_go import LetGo
from escrow.ground.clock import Clock, rfc3339
from escrow.ground.database import Database, Session
from escrow.ground.digests import Sha256Hex
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import BlobLocked
from escrow.vault.shreds import records as shreds

REMOVED = "endings:payload:removed"
KEPT_BY_LOCK = "endings:payload:locked"


@dataclass(frozen=True)
class Remover:
    """What is needed to remove payloads."""

    database: Database
    blobs: BlobStore
    scribe: Scribe
    clock: Clock
    let_go: LetGo

    def remove_all(self) -> int:
        """Remove whatever is due; return how many payloads went."""
        with self.database.reading() as session:
            due = [row.payload_sha256 for row in shreds.doomed(session, self.clock.now())]
        return sum(self._remove(Sha256Hex(one)) for one in due)

    def _remove(self, payload: Sha256Hex) -> bool:
        """Remove one payload; False where a lock, the ledger or somebody who opens it keeps it."""
        with self.database.writing() as session:
            row = shreds.doomed_payload(session, payload)
            # A list that a writer of the database made up must not cost a payload that is in use,
            # nor one that is waiting for its headers, or lost them to the same writer.
            if row is None or row.removed_at or shreds.in_use(session, payload):
                return False
            if not self.let_go.has(session, payload):
                return False
            try:
                self.blobs.delete(payload)
            except BlobLocked as lock:
                shreds.note_locked(session, row, lock.until)
                until = {"payload_sha256": payload, "until": rfc3339(lock.until)}
                self._log(session, row.product_id, KEPT_BY_LOCK, until)
                return False
            self._log(session, row.product_id, REMOVED, {"payload_sha256": payload})
            shreds.note_removed(session, row, self.clock.now())
        return True

    def _log(
        self, session: Session, product_id: str, kind: str, data: Mapping[str, object]
    ) -> None:
        event = NewEvent(Stream("product", product_id), kind, self.scribe.role, data)
        self.scribe.append(session, event)
