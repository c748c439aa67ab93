"""Jobs of dead executors go back into their queues; nobody else does it.

DBOS takes up again only the jobs of its own executor id, which is new at every start. So each
worker beats by the database's clock, and each looks at *all* running jobs: one whose executor has
no fresh beat is enqueued again. Looking at jobs, and not at dead executors, leaves nothing behind
when a reaper itself dies half-way. The update is guarded by the executor's id, so that several
reapers do no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from dbos import DBOS, DBOSClient, WorkflowStatus

from escrow.engine import records

_log = logging.getLogger("escrow.engine")


def recover(client: DBOSClient, live: Collection[str], version: str) -> frozenset[str]:
    """Enqueue the jobs of every executor that is not live, and return those executors.

    Args:
        client: reads the running jobs.
        live: ids of the executors that are known to live.
        version: this process's application version; jobs that began under another are left to
            a process of that version, since their steps may have another order.
    """
    orphans = [job for job in _orphans(client, live) if job.app_version == version]
    for job in orphans:
        _log.warning("job %s is taken up again: its process is gone", job.workflow_id)
    dead = frozenset(job.executor_id for job in orphans if job.executor_id)
    if dead:
        # A private name of dbos 3.4, which is pinned: liveness is outside its free package. It
        # guards the update by executor and version.
        DBOS._recover_pending_workflows(sorted(dead))
    return dead


def enqueue_own(client: DBOSClient, executor_id: str, keys: Collection[str]) -> None:
    """Enqueue jobs of a living executor that it does not run any more.

    Args:
        client: reads and changes the jobs.
        executor_id: a job that meanwhile belongs to another, was cancelled or ended, is left alone.
        keys: what this executor let go of.
    """
    for job in client.list_workflows(workflow_ids=sorted(keys), load_input=False) if keys else []:
        if job.status == "PENDING" and job.executor_id == executor_id:
            _log.warning("job %s is taken up again after a silence", job.workflow_id)
            # Into its own queue: the default is one that knows no limits.
            client.resume_workflow(job.workflow_id, queue_name=job.queue_name)


def tell_stranded(client: DBOSClient, live: Collection[str], version: str) -> None:
    """Log the jobs that no process of this version will take up."""
    for job in _orphans(client, live):
        if job.app_version != version:
            _log.error(
                "job %s began under version %s and waits for a process of it",
                *(job.workflow_id, job.app_version),
            )


def _orphans(client: DBOSClient, live: Collection[str]) -> list[WorkflowStatus]:
    running = client.list_workflows(status="PENDING", load_input=False, load_output=False)
    return [job for job in running if job.executor_id and job.executor_id not in live]


class Reaper:
    """The beating heart of one executor, in a thread and on a connection of its own.

    Args:
        connections: made for this alone; a pool that steps exhaust would look like death.
        client: reads the running jobs.
        executor_id: who beats.
        version: the application version of the jobs that run here.
        beat_seconds: how often.
        ttl_seconds: after so long without a beat an executor counts as dead.
        alone: a lock proves that no other executor lives, so none can take ours for dead.
        when_well: called after each beat that others could not have missed.
    """

    def __init__(
        self,
        connections: records.Connections,
        client: DBOSClient,
        executor_id: str,
        version: str,
        *,
        beat_seconds: float,
        ttl_seconds: float,
        alone: bool,
        when_well: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._client = client
        self._executor_id = executor_id
        self._version = version
        self._beat_seconds = beat_seconds
        self._ttl_seconds = ttl_seconds
        self._alone = alone
        self._when_well = when_well
        # With the lock, whoever starts the engine told them already.
        self._has_told = alone
        self._last_good_beat = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job-reaper", daemon=True)

    def start(self) -> None:
        """Beat once, so that nobody takes a starting executor for dead, and go on in a thread.

        Raises:
            DatabaseProblem: the database or the engine's table is not there.
        """
        records.beat(self._connections, self._executor_id, self._ttl_seconds)
        self._last_good_beat = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and leave the list of executors."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            records.forget_executors(self._connections, [self._executor_id])
        except records.DatabaseProblem:
            _log.warning("the database is away; the others will notice by the silence")

    def is_fenced(self) -> bool:
        """Tell whether the silence was long enough that others may soon act on it."""
        silence = time.monotonic() - self._last_good_beat
        return not self._alone and silence > self._ttl_seconds / 2

    def _run(self) -> None:
        good_beats = 0
        while not self._stop.wait(self._beat_seconds):
            try:
                live = records.beat(self._connections, self._executor_id, self._ttl_seconds)
                self._last_good_beat = time.monotonic()
                good_beats += 1
                # After an outage of the database everybody's beat is old: the others get the time
                # to live before they are judged.
                if good_beats * self._beat_seconds > self._ttl_seconds:
                    dead = recover(self._client, live, self._version)
                    records.forget_executors(self._connections, dead)
                    self._when_well()
                    if not self._has_told:
                        tell_stranded(self._client, live, self._version)
                        self._has_told = True
            except records.DatabaseProblem as problem:
                good_beats = 0
                _log.warning("no beat: %s", type(problem).__name__)
            except Exception:
                # A worker loop: whatever it was, the heart goes on.
                good_beats = 0
                _log.exception("the reaper failed; trying again")
