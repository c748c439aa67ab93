"""Read the stored payloads again: when a request is filed, and when its confirmation opens.

A durable job, since a product may hold terabytes. What is damaged is found while a replica may
still be there, weeks before anybody downloads; it is written into the request's history for
everybody to see, and stops nothing by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from agreements.requests import State
from escrow.engine.contexts import JobContext
from escrow.engine.queue import JobQueue
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import NotFound, Tampered
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.releases import records
from escrow.releases.history import History
from escrow.vault import records as vault
from escrow.vault.blobs import BlobStore

JOB = "reread-payloads"
REREAD = "releases:request:payloads-read"

# An event holds 64 KiB; whoever has so many damaged payloads needs no longer list.
MAX_NAMED = 500

_log = logging.getLogger("escrow.releases")


class Engine(Protocol):
    """Where the job is defined."""

    def define(self, name: str, function: Callable[[JobContext, dict[str, str]], None]) -> None:
        """Say what a job of this name does."""
        ...


def occasion_of(history: History) -> str | None:
    """Return on which occasion the payloads are to be read now; None where on none."""
    if history.state in (State.CONFIRMING, State.EXECUTING):
        return f"round-{history.openings[-1].data['round']}"
    return "filing" if history.state is State.FILED else None


def enqueue_rereading(
    session: Session, jobs: JobQueue, request_id: RequestId, history: History
) -> None:
    """Have the payloads read, once for each occasion."""
    occasion = occasion_of(history)
    if occasion is not None:
        arguments = {"request_id": request_id, "occasion": occasion}
        jobs.enqueue(session, JOB, f"{JOB}-{request_id}-{occasion}", arguments)


class Rereader:
    """The worker's part.

    Args:
        scribe: of the worker.
    """

    def __init__(self, database: Database, blobs: BlobStore, scribe: Scribe, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._scribe = scribe
        self._clock = clock

    def define(self, engine: Engine) -> None:
        """Define the job; before the engine starts."""
        engine.define(JOB, self.run)

    def run(self, context: JobContext, arguments: dict[str, str]) -> None:
        """Read every payload of the request's agreement and write down what was found."""
        request_id = RequestId(arguments["request_id"])
        context.step("read", lambda: self.read(request_id, arguments["occasion"]))

    def read(self, request_id: RequestId, occasion: str) -> None:
        """Read and record; a second time changes nothing."""
        with self._database.reading() as session:
            row = records.request_by_id(session, request_id)
            if row is None:
                return
            agreement_id = AgreementId(row.agreement_id)
            headers = vault.headers_of_agreement(session, agreement_id)
            wanted = sorted({Sha256Hex(one.payload_sha256) for one in headers})
        damaged = [digest for digest in wanted if not self._is_whole(digest)]
        if damaged:
            _log.critical("%d payloads of %s are damaged or gone", len(damaged), agreement_id)
        with self._database.writing() as session:
            if not records.take_rereading(session, request_id, occasion, len(damaged)):
                return
            data = {
                "request_id": request_id,
                "occasion": occasion,
                "payloads": len(wanted),
                "damaged": damaged[:MAX_NAMED],
            }
            event = NewEvent(Stream("agreement", agreement_id), REREAD, "worker", data)
            self._scribe.append(session, event)

    def _is_whole(self, digest: Sha256Hex) -> bool:
        try:
            self._blobs.check(digest)
        except (Tampered, NotFound):
            return False
        return True
