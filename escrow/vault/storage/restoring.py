"""Have header records brought back that the database lost, from the files of the replica.

The worker finds what is lost, has the file, and lays it in its note; the keyholder alone writes the
row, after it has proven the record (:mod:`escrow.operations.keyholder.restoring`). What it refuses
is told by the scrub, and not asked for again by this process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import canonical_json
from escrow.ground.errors import EscrowError, Unavailable
from escrow.ground.identifiers import AgreementId, DepositId, PartId
from escrow.vault.storage import exports, records
from escrow.vault.storage.places import Shelf
from escrow.vault.storage.records import HELD, PartKey
from escrow.vault.storage.replicating import BATCH

_log = logging.getLogger("escrow.storage")


class HeaderKeeper(Protocol):
    """Who writes header records."""

    def restore_headers(
        self, agreement_id: AgreementId, deposit_id: DepositId, part_id: PartId
    ) -> None:
        """Write the offered header records of a part again, each once it is proven."""
        ...


class HeaderRestorer:
    """Brings back what is gone or damaged in the database and good in the replica.

    Args:
        database: rows and notes.
        shelf: of the replica.
        keyholder: writes the rows.
        clock: the service's.
    """

    def __init__(
        self, database: Database, shelf: Shelf, keyholder: HeaderKeeper, clock: Clock
    ) -> None:
        self._database, self._shelf = database, shelf
        self._keyholder, self._clock = keyholder, clock
        self._refused: set[tuple[PartKey, exports.RecordKey]] = set()

    def round(self) -> int:
        """Bring back what can be, and return how many records were.

        Raises:
            BlobStoreUnavailable, KeyholderOut: tried again at the next round.
        """
        with self._database.reading() as session:
            keys = set(records.headers_gone(session, BATCH))
            keys |= {
                (one.agreement_id, one.deposit_id, one.part_id)
                for one in records.damaged_headers(session)
            }
        return sum(self._part(key) for key in sorted(keys))

    def _part(self, key: PartKey) -> int:
        """Offer the part's lost records, ask, and note what stands then."""
        lost = self._lost(key)
        if not lost:
            return 0
        self._note(key, {which: canonical_json(one).decode() for which, one in lost.items()})
        agreement_id, deposit_id, part_id = key
        problem = None
        try:
            self._keyholder.restore_headers(
                AgreementId(agreement_id), DepositId(deposit_id), PartId(part_id)
            )
        except Unavailable:
            raise
        except EscrowError as found:
            problem = found
        still = self._lost(key)
        self._note(key, dict.fromkeys(lost))
        self._refused |= {(key, which) for which in still}
        if still:
            _log.error("header records of %s are lost for good: %s", "/".join(key), problem)
        if back := lost.keys() - still.keys():
            place = "/".join(key)
            _log.warning("%d header records of %s are brought back", len(back), place)
        return len(back)

    def _lost(self, key: PartKey) -> dict[exports.RecordKey, exports.Record]:
        """Return the part's records whose rows are not what was noted, and whose files are."""
        filed = exports.unverified_records(self._shelf.get(exports.path_of(key)) or b"")
        with self._database.reading() as session:
            rows = self._digests(session, key)
            noted = {
                (row.lock, row.epoch): row.sha256 for row in records.header_copies(session, key)
            }
        return {
            which: filed[which]
            for which, digest in noted.items()
            if rows.get(which) != digest
            and (key, which) not in self._refused
            and which in filed
            and exports.digest_of(filed[which]) == digest
        }

    def _digests(self, session: Session, key: PartKey) -> dict[exports.RecordKey, str]:
        found = map(exports.record_of, records.header_rows(session, key))
        return {exports.key_of(one): exports.digest_of(one) for one in found}

    def _note(self, key: PartKey, offered: Mapping[exports.RecordKey, str | None]) -> None:
        """Write what is offered; a record whose row is as it was noted is held again."""
        with self._database.writing() as session:
            rows = self._digests(session, key)
            for note in records.header_copies(session, key):
                which = (note.lock, note.epoch)
                if which in offered:
                    note.offered = offered[which]
                    if rows.get(which) == note.sha256:
                        note.state, note.read_at = HELD, self._clock.now()
                    session.add(note)
