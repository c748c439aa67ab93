"""Read everything that is sealed, tell missing from corrupted, and mend from the good copy.

Guarantees: damage counts only after a second reading; a good copy is never written over; what is
damaged is set aside and not destroyed; a run that was killed goes on where it was; its end is an
event of the ledger, with its counts, in the transaction that ends it. It does not open anything:
that a record or payload is *authentic* is seen by whoever opens it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final, Literal

from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import new_id
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import BlobCorrupted, BlobLocked, BlobMissing
from escrow.vault.storage import records
from escrow.vault.storage.header_scrub import HeaderScrub
from escrow.vault.storage.inventory import Inventory
from escrow.vault.storage.places import Place
from escrow.vault.storage.records import CORRUPTED, HELD, MISSING, PRIMARY, REPLICA, ScrubRunRow
from escrow.vault.storage.replicating import Replicator, copy_blob

ENDED: Final = "vault:scrub:ended"
_STREAM: Final = Stream("installation", "installation")

# Everything is read within 30 days: a slice reads what was not read for 27, and runs daily.
SLICES: Final = 28
OVERDUE: Final = timedelta(days=27)
# Between two notes of where a run stands; what is lost by a kill is read again.
BATCH: Final = 100

Kind = Literal["whole", "slice"]

_log = logging.getLogger("escrow.storage")


@dataclass(frozen=True)
class ScrubCounts:
    """What a run read and found; copies are counted, so a payload with two counts twice."""

    payloads: int = 0
    bytes: int = 0
    header_records: int = 0
    missing: int = 0
    corrupted: int = 0
    repaired: int = 0
    unrepairable: int = 0

    def __add__(self, other: ScrubCounts) -> ScrubCounts:
        return ScrubCounts(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )


@dataclass(frozen=True)
class Looked:
    """What was found of one payload's copies; without copies it is to be forgotten."""

    sha256: Sha256Hex
    copies: tuple[records.ReadCopy, ...]
    counts: ScrubCounts


class Scrubber:
    """Runs the scrub over one or two places.

    Args:
        replicator: of the same places; what is new is noted before a run.
        database: notes are the worker's.
        inventory: what must be stored.
        primary, replica: the places; without a replica damage is told and not mended.
        clock: the service's.
        scribe: writes the event, in the worker's name.
    """

    def __init__(
        self,
        replicator: Replicator,
        database: Database,
        inventory: Inventory,
        primary: Place,
        replica: Place | None,
        clock: Clock,
        scribe: Scribe,
    ) -> None:
        self._replicator = replicator
        self._database = database
        self._inventory = inventory
        self._places = {PRIMARY: primary} | ({REPLICA: replica} if replica else {})
        self._headers = HeaderScrub(database, replica.shelf if replica else None)
        self._clock = clock
        self._scribe = scribe

    def is_slice_due(self) -> bool:
        """Tell whether a day has passed since the last slice began, or one was broken off."""
        with self._database.reading() as session:
            last = records.last_run(session, "slice")
            return (
                last is None
                or last.ended_at is None
                or last.started_at <= self._clock.now() - timedelta(days=1)
            )

    def run(
        self,
        kind: Kind,
        stopping: Callable[[], bool] = lambda: False,
        tell: Callable[[ScrubCounts], None] = lambda _: None,
    ) -> ScrubCounts | None:
        """Begin a run, or go on with the one that was broken off; None when told to stop.

        Args:
            kind: everything, or a day's slice.
            stopping: asked between payloads; the run stays open.
            tell: told after each batch how far it is.

        Raises:
            BlobStoreUnavailable: a store is away; the run stays open.
        """
        self._replicator.note_new()
        run_id, started_at = self._begun(kind)
        before = started_at if kind == "whole" else started_at - OVERDUE
        budget = self._budget() if kind == "slice" else None
        while not stopping():
            counts, more = self._batch(run_id, before, started_at, budget)
            tell(counts)
            if not more:
                return self._end(run_id)
        return None

    def _begun(self, kind: Kind) -> tuple[str, datetime]:
        with self._database.writing() as session:
            row = records.open_run(session, kind)
            if row is None:
                row = ScrubRunRow(id=new_id("scr"), kind=kind, started_at=self._clock.now())
                records.add(session, [row])
            return row.id, row.started_at

    def _budget(self) -> int:
        with self._database.reading() as session:
            return -(-records.totals(session)[1] * len(self._places) // SLICES)

    def _batch(
        self, run_id: str, before: datetime, started_at: datetime, budget: int | None
    ) -> tuple[ScrubCounts, bool]:
        """Read a batch and note it; False once there is nothing more to read in this run."""
        with self._database.reading() as session:
            found = list(records.unread_since(session, before, BATCH))
            if budget is not None and not found:
                done = records.run_of(session, run_id).bytes
                left = (budget - done) // len(self._places)
                found = _within(records.unread_since(session, started_at, BATCH), left)
            copied = records.copied(session, [row.sha256 for row in found])
            batch = [(Sha256Hex(row.sha256), row.size_bytes, row.sha256 in copied) for row in found]
            keys = records.headers_unread_since(session, before, BATCH)
        looked = [self._payload(*one) for one in batch]
        headers = [self._headers.part(key) for key in keys]
        counts = sum((one.counts for one in looked), ScrubCounts())
        counts = sum((ScrubCounts(**one.counts) for one in headers), counts)
        # A clock that was set back must not make everything look unread again.
        now = max(self._clock.now(), started_at)
        with self._database.writing() as session:
            # What was mended stays mended when these notes are lost.
            records.note_copies(session, [copy for one in looked for copy in one.copies], now)
            for gone in (one for one in looked if not one.copies):
                records.forget_payload(session, gone.sha256)
            for header in headers:
                header.note(session, now)
            row = records.run_of(session, run_id)
            for one in fields(ScrubCounts):
                setattr(row, one.name, getattr(row, one.name) + getattr(counts, one.name))
            session.add(row)
            return _counts(row), bool(batch or keys)

    def _end(self, run_id: str) -> ScrubCounts:
        with self._database.writing() as session:
            row = records.run_of(session, run_id)
            row.ended_at = self._clock.now()
            session.add(row)
            counts = _counts(row)
            data = {"run_id": run_id, "kind": row.kind, **vars(counts)}
            self._scribe.append(session, NewEvent(_STREAM, ENDED, "worker", data))
        if counts.unrepairable:
            _log.error(
                "scrub %s: %d things are damaged and cannot be mended: 'escrow admin "
                "storage' lists them",
                run_id,
                counts.unrepairable,
            )
        return counts

    # --- one payload --------------------------------------------------------------------------

    def _payload(self, sha256: Sha256Hex, size_bytes: int, copied: bool) -> Looked:
        states = {
            name: examined(place.blobs, sha256)
            for name, place in self._places.items()
            if name == PRIMARY or copied
        }
        if states[PRIMARY] == MISSING and not self._is_wanted(sha256):
            return self._destroyed(sha256, size_bytes, copied)
        found = list(states.values())
        repaired = self._mend(sha256, states)
        for name, state in states.items():
            if state != HELD:
                _log.error("payload %s is %s in the %s and cannot be mended", sha256, state, name)
        counts = ScrubCounts(
            payloads=len(states),
            bytes=size_bytes * len(states),
            missing=found.count(MISSING),
            corrupted=found.count(CORRUPTED),
            repaired=repaired,
            unrepairable=sum(state != HELD for state in states.values()),
        )
        copies = [records.ReadCopy(sha256, name, size_bytes, one) for name, one in states.items()]
        return Looked(sha256, tuple(copies), counts)

    def _destroyed(self, sha256: Sha256Hex, size_bytes: int, copied: bool) -> Looked:
        """Destroy the second copy of what was destroyed as was due, as far as a lock lets it go."""
        if copied and REPLICA in self._places:
            try:
                self._places[REPLICA].blobs.delete(sha256)
            except BlobLocked:
                # Noted on, so that it is tried again.
                kept = records.ReadCopy(sha256, REPLICA, size_bytes, HELD)
                gone = records.ReadCopy(sha256, PRIMARY, size_bytes, HELD)
                return Looked(sha256, (gone, kept), ScrubCounts())
        return Looked(sha256, (), ScrubCounts())

    def _is_wanted(self, sha256: Sha256Hex) -> bool:
        with self._database.reading() as session:
            return self._inventory.wants(session, sha256)

    def _mend(self, sha256: Sha256Hex, states: dict[str, str]) -> int:
        """Mend every bad copy from a good one; the states change to what stands there now."""
        good = [name for name, state in states.items() if state == HELD]
        if not good:
            return 0
        bad = [name for name, state in states.items() if state != HELD]
        for name in bad:
            target = self._places[name].blobs
            if states[name] == CORRUPTED:
                target.set_aside(sha256)
            try:
                copy_blob(self._places[good[0]].blobs, target, sha256)
            except (BlobMissing, BlobCorrupted) as problem:
                # It read well a moment ago: a store that gives now this, now that holds nothing.
                states[good[0]] = CORRUPTED
                _log.error("payload %s, read again in the %s: %s", sha256, good[0], problem.reason)
            states[name] = examined(target, sha256)
            if states[name] == HELD:
                _log.warning("payload %s was damaged in the %s and is mended", sha256, name)
        return sum(states[name] == HELD for name in bad)


def examined(store: BlobStore, sha256: Sha256Hex) -> str:
    """Tell how one copy is; damage is believed at the second reading."""
    state = HELD
    for _ in range(2):
        try:
            store.check(sha256)
            return HELD
        except BlobMissing:
            state = MISSING
        except BlobCorrupted:
            state = CORRUPTED
    return state


def _within(rows: Sequence[records.BlobCopyRow], budget: int) -> list[records.BlobCopyRow]:
    taken: list[records.BlobCopyRow] = []
    for row in rows:
        if budget <= 0:
            break
        taken.append(row)
        budget -= row.size_bytes
    return taken


def _counts(row: ScrubRunRow) -> ScrubCounts:
    return ScrubCounts(**{one.name: getattr(row, one.name) for one in fields(ScrubCounts)})
