"""The scrub's look at header records: three witnesses, of which two that agree are believed.

The row, the file on the replica's shelf, and the digest that was noted when the record was first
seen. The row itself is written by the keyholder alone, so a damaged one is told, with the file as
the way back, and never written here.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from escrow.ground.database import Database, Session
from escrow.vault.storage import exports, records
from escrow.vault.storage.places import Shelf
from escrow.vault.storage.records import CORRUPTED, HELD, MISSING, PartKey

_log = logging.getLogger("escrow.storage")


@dataclass(frozen=True)
class LookedHeaders:
    """What was found of one part's header records: state and digest by lock and epoch."""

    key: PartKey
    states: dict[exports.RecordKey, tuple[str, str]]
    counts: dict[str, int]

    def note(self, session: Session, now: datetime) -> None:
        """Write it down."""
        for row in records.header_copies(session, self.key):
            if (row.lock, row.epoch) in self.states:
                row.state, row.sha256 = self.states[row.lock, row.epoch]
                row.read_at = now
                session.add(row)


class HeaderScrub:
    """Reads the header records of one part at a time.

    Args:
        database: rows and notes.
        shelf: of the replica; None where there is none.
    """

    def __init__(self, database: Database, shelf: Shelf | None) -> None:
        self._database = database
        self._shelf = shelf

    def part(self, key: PartKey) -> LookedHeaders:
        """Read row and file of every record of a part, mend what two witnesses agree on; count."""
        path = exports.path_of(key)
        content = self._shelf.get(path) if self._shelf else None
        filed = exports.unverified_records(content or b"")
        with self._database.reading() as session:
            rows = {
                exports.key_of(record): record
                for record in map(exports.record_of, records.header_rows(session, key))
            }
            noted = {
                (row.lock, row.epoch): (row.sha256, row.exported_at is not None)
                for row in records.header_copies(session, key)
            }
        counts: Counter[str] = Counter(header_records=len(noted))
        good: dict[exports.RecordKey, exports.Record] = {}
        states: dict[exports.RecordKey, tuple[str, str]] = {}
        for which, (digest, _) in noted.items():
            row, file = rows.get(which), filed.get(which)
            if row is not None and row == file:
                # A note that differs from both is the one that is damaged.
                states[which], good[which] = (HELD, exports.digest_of(row)), row
                counts["corrupted"] += digest != exports.digest_of(row)
                counts["repaired"] += digest != exports.digest_of(row)
                continue
            is_row = row is not None and exports.digest_of(row) == digest
            is_file = file is not None and exports.digest_of(file) == digest
            if is_row and row is not None:
                states[which], good[which] = (HELD, digest), row
                continue
            state = MISSING if row is None else CORRUPTED
            states[which] = (state, digest)
            counts[state] += 1
            counts["unrepairable"] += 1
            if is_file and file is not None:
                good[which] = file
            _log.error(
                "header record %s %s/%d is %s in the database; %s",
                "/".join(key),
                *which,
                state,
                f"{path} of the replica has it" if is_file else "no good copy is known",
            )
        counts += self._file(key, content, good, exported=any(one for _, one in noted.values()))
        return LookedHeaders(key, states, dict(counts))

    def _file(
        self,
        key: PartKey,
        content: bytes | None,
        good: dict[exports.RecordKey, exports.Record],
        *,
        exported: bool,
    ) -> Counter[str]:
        """Write the part's file anew where it is not what it has to be."""
        due = exports.document_of(key, list(good.values()))
        if self._shelf is None or not exported or content == due:
            return Counter()
        path = exports.path_of(key)
        if content is not None:
            self._shelf.put(f"set-aside/{path.replace('/', '.')}.{secrets.token_hex(4)}", content)
        self._shelf.put(path, due)
        state = MISSING if content is None else CORRUPTED
        _log.warning("%s was %s and is written anew", path, state)
        return Counter({state: 1, "repaired": 1})
