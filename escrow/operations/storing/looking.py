"""``escrow admin scrub`` and ``escrow admin storage``: the stores looked at by hand.

They run where the worker runs, with its settings and its key, beside it: what both do to a store
is put-if-absent, and what both note is the same.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import SystemClock, rfc3339
from escrow.ground.database import Database
from escrow.ground.errors import Refused
from escrow.ground.settings import Settings
from escrow.ledger.appending import Scribe
from escrow.operations.home import Home
from escrow.operations.keyholder.wire import WORKER
from escrow.operations.own_keys import worker_keys
from escrow.operations.settings_source import settings as own_settings
from escrow.operations.storing.keeping import StoreKeeper
from escrow.operations.storing.stores import primary_store, replica_place
from escrow.vault.storage import records
from escrow.vault.storage.scrubbing import ScrubCounts

_STAGING = "staging-scrub"

# A list for a person to act on; more than this is a lost disk, and named as such by the count.
_MAX_LISTED = 100


class ScrubRunning(Refused):
    """Another scrub runs by hand on the same installation."""

    code = "storage.scrub-running"


class NoWorkerHere(Refused):
    """What the worker does is to be looked at where none has run yet."""

    code = "storage.no-worker-here"


def scrub_now(tell: Callable[[ScrubCounts, int], None]) -> tuple[dict[str, object], str]:
    """Read everything now and return what was found, as a document and as a sentence.

    Args:
        tell: told the counts so far, and how many bytes one copy of everything has.

    Raises:
        ScrubRunning, NoWorkerHere: see there.
        BlobStoreUnavailable: a store is away; the run goes on at the next call.
    """
    settings = own_settings()
    home = worker_home(settings)
    clock = SystemClock()
    database = Database(settings.database_url)
    try:
        with _alone(home):
            blobs = primary_store(settings, _STAGING, clock)
            replica = replica_place(settings, clock, _STAGING)
            for store in (blobs, replica.blobs if replica else blobs):
                store.sweep_staging()
            scribe = Scribe(WORKER, worker_keys(home).report, clock)
            root = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
            keeper = StoreKeeper(database, blobs, replica, clock, scribe, root.ledger_keys)
            keeper.replicator.round()
            with database.reading() as session:
                _, size_bytes = records.totals(session)
            counts = keeper.scrubber.run("whole", tell=lambda now: tell(now, size_bytes))
            keeper.teller.look()
    finally:
        database.close()
    found = counts or ScrubCounts()
    sentence = (
        f"Read {found.payloads} payloads ({found.bytes} bytes) and {found.header_records} header "
        f"records: {found.missing} missing, {found.corrupted} corrupted, {found.repaired} mended, "
        f"{found.unrepairable} damaged for good."
    )
    return vars(found), sentence


def look() -> tuple[dict[str, object], str]:
    """Return what is noted of the stores; reads the database alone, so it is quick.

    Raises:
        NoWorkerHere: see there.
    """
    settings = own_settings()
    worker_home(settings)
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            count, size_bytes = records.totals(session)
            lacking, since = records.lacking_count(session)
            damaged = [
                {"payload": row.sha256, "place": row.place, "state": row.state}
                for row in records.damaged(session)
            ]
            damaged += [
                {
                    "header_record": f"{row.agreement_id}/{row.deposit_id}/{row.part_id}",
                    "lock": row.lock,
                    "state": row.state,
                }
                for row in records.damaged_headers(session)
            ]
            runs = {kind: records.last_run(session, kind) for kind in ("whole", "slice")}
            ends = {kind: _at(run.ended_at if run else None) for kind, run in runs.items()}
    finally:
        database.close()
    has_replica = settings.replica != "none"
    document: dict[str, object] = {
        "payloads": count,
        "bytes": size_bytes,
        "replica": settings.replica,
        "lacking_replica": lacking,
        "lacking_since": _at(since) if has_replica else None,
        "damaged": damaged[:_MAX_LISTED],
        "damaged_count": len(damaged),
        "whole_scrub_ended_at": ends["whole"],
        "daily_scrub_ended_at": ends["slice"],
    }
    second = f"{lacking} of them without a second copy" if has_replica else "no second copy is set"
    bad = "; ".join(" ".join(map(str, one.values())) for one in damaged[:_MAX_LISTED])
    sentence = f"{count} payloads ({size_bytes} bytes), {second}. Damaged: {bad or 'nothing'}."
    return document, sentence


def _at(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def worker_home(settings: Settings) -> Home:
    """Return the home of the worker with these settings.

    Raises:
        NoWorkerHere: see there.
    """
    home = Home(settings.home)
    if not (home.service / "worker.pem").exists() or not home.trust_root.exists():
        raise NoWorkerHere(
            f"No worker has run in {home.root} yet.",
            "Run this where the worker runs, with its settings, after 'escrow admin init' or the "
            "worker's first start.",
        )
    return home


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with (home.service / "scrub.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScrubRunning(
                "A scrub runs here already.", "Wait for its end; 'escrow admin storage' tells it."
            ) from None
        yield
