"""Make the second copy of everything: payloads and header records that the replica lacks.

The rows are the queue. A payload is copied when a row of some room names it and no note says that
the replica has it; so a kill, a database that was restored and a replica that comes late lose
nothing. Bytes are hashed on the way, and a copy whose bytes are not its name is never completed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import Sha256Hex
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import BlobCorrupted, BlobMissing
from escrow.vault.files import whole_of
from escrow.vault.records import HeaderRecordRow
from escrow.vault.storage import exports, records
from escrow.vault.storage.inventory import Inventory
from escrow.vault.storage.places import Place
from escrow.vault.storage.records import CORRUPTED, HELD, MISSING, PRIMARY, REPLICA

# What is asked for and written down at one time: a transaction stays short.
BATCH: Final = 200

_log = logging.getLogger("escrow.storage")


def copy_blob(source: BlobStore, target: BlobStore, sha256: Sha256Hex) -> None:
    """Put a blob of one store into another; nothing is completed that is not its name.

    Raises:
        BlobMissing, BlobCorrupted: the source has no good one.
        BlobStoreUnavailable: either store failed.
    """
    digest = hashlib.sha256()
    with source.open(sha256) as file:
        staging = target.stage()
        try:
            for piece in whole_of(file):
                digest.update(piece)
                staging.append(piece)
            if digest.hexdigest() != sha256:
                raise BlobCorrupted(
                    f"The payload {sha256[:16]}… that was to be copied no longer has its digest.",
                    "'escrow admin scrub' tells whether there is a good copy.",
                )
            staging.commit(sha256)
        finally:
            staging.discard()


@dataclass(frozen=True)
class Replicated:
    """What one round did."""

    payloads: int
    header_files: int


class Replicator:
    """Copies what the replica lacks.

    Args:
        database: notes are the worker's.
        inventory: what must be stored.
        primary: where everything arrives.
        replica: None where there is none: then digests are noted, and nothing is copied.
        clock: the service's.
    """

    def __init__(
        self,
        database: Database,
        inventory: Inventory,
        primary: Place,
        replica: Place | None,
        clock: Clock,
    ) -> None:
        self._database = database
        self._inventory = inventory
        self._primary = primary
        self._replica = replica
        self._clock = clock

    def round(self, stopping: Callable[[], bool] = lambda: False) -> Replicated:
        """Note what is new, and copy what the replica lacks, until there is nothing more.

        Raises:
            BlobStoreUnavailable: a store is away; what was copied is noted.
        """
        self.note_new()
        self._follow_shredding()
        headers = self._export_headers(stopping)
        payloads = 0
        while self._replica and not stopping() and (batch := self._lacking()):
            payloads += sum(self._copy(sha256, size) for sha256, size in batch)
        return Replicated(payloads, headers)

    def note_new(self) -> None:
        """Note every payload that a room names and that is not known here yet."""
        while True:
            # Read apart: a round that finds nothing must not take the writer's turn.
            with self._database.reading() as session:
                found = self._inventory.unnoted(session, BATCH)
            if not found:
                return
            now = self._clock.now()
            with self._database.writing() as session:
                records.add(
                    session,
                    [
                        records.BlobCopyRow(
                            sha256=one.sha256,
                            place=PRIMARY,
                            size_bytes=one.size_bytes,
                            noted_at=now,
                        )
                        for one in found
                        if records.copy_of(session, one.sha256, PRIMARY) is None
                    ],
                )

    def _lacking(self) -> list[tuple[Sha256Hex, int]]:
        with self._database.reading() as session:
            found = records.lacking_replica(session, BATCH)
            return [(Sha256Hex(row.sha256), row.size_bytes) for row in found]

    def _copy(self, sha256: Sha256Hex, size_bytes: int) -> bool:
        if self._replica is None:
            return False
        state = HELD
        try:
            copy_blob(self._primary.blobs, self._replica.blobs, sha256)
        except BlobMissing:
            state = MISSING
        except BlobCorrupted:
            state = CORRUPTED
        now = self._clock.now()
        with self._database.writing() as session:
            if state == MISSING and not self._inventory.wants(session, sha256):
                records.forget_payload(session, sha256)
                return False
            # Noted as damaged it is not tried again each half minute; the scrub looks into it.
            places = (PRIMARY, REPLICA) if state == HELD else (PRIMARY,)
            read = [records.ReadCopy(sha256, place, size_bytes, state) for place in places]
            records.note_copies(session, read, now)
        if state != HELD:
            _log.error("payload %s is %s in the primary and has no second copy", sha256, state)
        return state == HELD

    # --- header records -----------------------------------------------------------------------

    def _export_headers(self, stopping: Callable[[], bool]) -> int:
        count = 0
        while not stopping():
            with self._database.reading() as session:
                shelf = self._replica is not None
                batch = records.headers_to_export(session, BATCH, shelf=shelf)
            if not batch:
                break
            for key in batch:
                self._export(key)
            count += len(batch)
        return count

    def _follow_shredding(self) -> None:
        """Remove the exported header records of payloads that the keyholder shredded.

        As the ledger has it: where somebody deleted the rows alone, these are the way back.
        A row that is gone for another reason is no order to destroy its copy: the scrub tells it.
        """
        shelf = self._replica.shelf if self._replica else None
        if shelf is None:
            return
        with self._database.reading() as session:
            gone = records.headers_gone(session, BATCH)
        for key in gone:
            path = exports.path_of(key)
            filed = exports.unverified_records(shelf.get(path) or b"")
            payloads = {str(record.get("payload_sha256")) for record in filed.values()}
            with self._database.reading() as session:
                is_due = bool(payloads) and all(
                    self._inventory.is_let_go(session, one) for one in payloads
                )
                are_all_gone = not records.header_rows(session, key)
            if is_due and are_all_gone:
                shelf.remove(path)
                with self._database.writing() as session:
                    records.forget_headers(session, key)

    def _export(self, key: records.PartKey) -> None:
        """Note the digests of a part's records, and write its file anew.

        A record that is no longer the one that was noted is not exported: the file keeps the good
        one, and the scrub tells of it.
        """
        now = self._clock.now()
        with self._database.writing() as session:
            noted = _noted(session, key)
            rows = {
                exports.key_of(exports.record_of(row)): row
                for row in records.header_rows(session, key)
            }
            for which, row in rows.items():
                if which not in noted:
                    records.add(session, [_note(row, now)])
        if self._replica is None or self._replica.shelf is None:
            return
        path = exports.path_of(key)
        with self._database.reading() as session:
            noted = _noted(session, key)
            good = {
                exports.key_of(record): record
                for row in records.header_rows(session, key)
                if exports.digest_of(record := exports.record_of(row))
                == noted[exports.key_of(record)].sha256
            }
        for which, record in exports.unverified_records(
            self._replica.shelf.get(path) or b""
        ).items():
            if which in noted and exports.digest_of(record) == noted[which].sha256:
                good.setdefault(which, record)
        self._replica.shelf.put(path, exports.document_of(key, list(good.values())))
        with self._database.writing() as session:
            for note in records.header_copies(session, key):
                note.exported_at = note.exported_at or now
                session.add(note)


def _noted(
    session: Session, key: records.PartKey
) -> dict[exports.RecordKey, records.HeaderCopyRow]:
    return {(row.lock, row.epoch): row for row in records.header_copies(session, key)}


def _note(row: HeaderRecordRow, now: datetime) -> records.HeaderCopyRow:
    return records.HeaderCopyRow(
        agreement_id=row.agreement_id,
        product_id=row.product_id,
        deposit_id=row.deposit_id,
        part_id=row.part_id,
        lock=row.lock,
        epoch=row.epoch,
        sha256=exports.digest_of(exports.record_of(row)),
        noted_at=now,
    )
