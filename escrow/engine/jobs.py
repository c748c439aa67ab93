"""Durable jobs behind one class; the only door to DBOS.

Guarantees: a job enqueued in a transaction exists if and only if it commits; one key is one job,
for ever; a step that returned is not run again; a job whose process died is taken up again, at
once at the next start on SQLite, and after the time to live on PostgreSQL. It does not guarantee
that a step runs only once, nor does it keep data: what passes through are identifiers.

DBOS is one to a process, and so is a started engine. An engine that is not started can enqueue,
ask and cancel: that is all that a portal needs beside workers on other machines.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
)
from dbos import error as dbos_error

from escrow.engine import noise, records, recovery
from escrow.engine.contexts import JobAbandoned, JobContext, cause_of
from escrow.engine.errors import (
    AlreadyStarted,
    JobNotDone,
    JobUndefined,
    JobUnknown,
    KeyTaken,
)
from escrow.engine.holding import HeldFile
from escrow.engine.identifiers import check_arguments, check_job_name, check_key
from escrow.engine.status import JobStatus, status_of
from escrow.ground.database import Session

JobFunction = Callable[[JobContext, dict[str, str]], None]

# DBOS's name for whoever shares its tables; never changed, or old jobs would belong to another.
APPLICATION = "escrow"

# A job that takes its process down with it must not do so for ever.
DEFAULT_MAX_RECOVERIES = 20

# Between an enqueue and its start at most; each look is one indexed read.
POLLING_SECONDS = 0.25

# A pause of garbage collection or a failover of PostgreSQL is no death.
BEAT_SECONDS = 5.0
TTL_SECONDS = 60.0

_log = logging.getLogger("escrow.engine")
_one_to_a_process = threading.Lock()


@dataclass(frozen=True)
class _Definition:
    name: str
    function: JobFunction
    max_recoveries: int
    concurrency: int


class JobEngine:
    """Runs and remembers jobs.

    Args:
        database_url: the service's database; DBOS makes its own tables and connections there.
        executor_name: what this process is called in logs; the executor's id is new every time.
        concurrency: how many jobs *of each name* run here at one time, so that long ones do not
            keep short ones of another name waiting.
        application_version: changed only when the order of a job's steps changes; jobs that run
            under another version wait for a process of that version.
        beat_seconds: how often this executor says that it lives.
        ttl_seconds: after so long a silence the others take over its jobs.
    """

    def __init__(
        self,
        database_url: str,
        executor_name: str,
        concurrency: int,
        application_version: str,
        *,
        beat_seconds: float = BEAT_SECONDS,
        ttl_seconds: float = TTL_SECONDS,
    ) -> None:
        check_job_name(executor_name)
        noise.quieten()
        self.executor_id = f"{executor_name}-{uuid.uuid4().hex[:16]}"
        self.stopping = threading.Event()
        self._url = database_url
        self._concurrency = concurrency
        self._version = application_version
        self._beat = (beat_seconds, ttl_seconds)
        self._definitions: dict[str, _Definition] = {}
        # Names of jobs that other processes do.
        self._elsewhere: set[str] = set()
        self._running: set[str] = set()
        # Jobs that this process let go of while the others might have taken it for dead.
        self._let_down: set[str] = set()
        self._changed = threading.Condition()
        self._file = records.sqlite_file(database_url)
        self._connections = records.job_connections(database_url)
        self._beat_connections = records.job_connections(database_url, pool_size=1)
        self._client = DBOSClient(
            system_database_engine=self._connections,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )
        self._held: HeldFile | None = None
        self._reaper: recovery.Reaper | None = None

    def define(
        self,
        name: str,
        function: JobFunction,
        *,
        max_recoveries: int = DEFAULT_MAX_RECOVERIES,
        concurrency: int | None = None,
    ) -> None:
        """Say what a job of this name does; before :meth:`start`.

        Args:
            name: short lower-case word, under which jobs are enqueued.
            function: takes the context and the identifiers; runs in a thread of its own.
            max_recoveries: how often it is taken up again after its process died.
            concurrency: another limit than the engine's.

        Raises:
            NotAnIdentifier: bad name.
            AlreadyStarted: too late.
        """
        check_job_name(name)
        if self._reaper is not None:
            raise AlreadyStarted(
                f"The engine runs already; {name!r} cannot be defined now.",
                "Define every job before the engine starts.",
            )
        limit = concurrency or self._concurrency
        self._definitions[name] = _Definition(name, function, max_recoveries, limit)

    def define_elsewhere(self, name: str) -> None:
        """Say that jobs of this name are enqueued here and done by another process.

        Raises:
            NotAnIdentifier: bad name.
        """
        check_job_name(name)
        self._elsewhere.add(name)

    def prepare(self) -> None:
        """Make or migrate DBOS's tables, for a process that enqueues and never starts."""
        DBOS.migrate(self._url)

    def start(self) -> None:
        """Run jobs from now on; first take up those of executors that are gone.

        On SQLite every other executor is gone, because a lock on the file says so. May be called
        inside a running event loop: DBOS is launched beside it and does not touch it.

        Raises:
            FileHeldByOther: another service works on the same SQLite file.
            AlreadyStarted: an engine runs in this process.
        """
        if not _one_to_a_process.acquire(blocking=False):
            raise AlreadyStarted(
                "An engine runs already in this process.", "Stop that one first, or use it."
            )
        try:
            if self._file is not None:
                self._held = HeldFile(self._file, self.executor_id)
            _outside_of_loops(self._launch)
        except BaseException:
            _outside_of_loops(_end_dbos)
            self._let_go()
            raise

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Stop everything that was started; safe to call twice.

        No step begins any more. A step that runs may end within the timeout and is remembered;
        what is not done by then is taken up at the next start.
        """
        self.stopping.set()
        if self._reaper is not None:
            with self._changed:
                self._changed.wait_for(lambda: not self._running, timeout_seconds)
                left = sorted(self._running)
            if left:
                _log.warning("stopping while jobs still run: %s", ", ".join(left))
            _outside_of_loops(_end_dbos)
            self._let_go()
        self._client.destroy()
        self._connections.dispose()
        self._beat_connections.dispose()

    def enqueue(
        self,
        session: Session,
        name: str,
        key: str,
        arguments: Mapping[str, str],
        *,
        delay_seconds: float = 0,
        partition: str | None = None,
    ) -> None:
        """Enqueue a job in the caller's transaction; the same key twice is one job.

        Args:
            session: open for writing on the service's database; nothing exists if it rolls back.
            name: of the job.
            key: made of words and ids, unique for ever, e.g. ``verify-dep_01…``.
            arguments: ids, short words and numbers only.
            delay_seconds: not before so long from now. A deadline in law lives in a table of its
                room, and the job reads it again.
            partition: of jobs with the same partition and name one runs at a time, anywhere.

        Raises:
            NotAnIdentifier: key, partition or an argument is no identifier.
            JobUndefined: this engine has definitions and none of this name.
            KeyTaken: the key names a job of another name.
        """
        check_job_name(name)
        check_key(key)
        check_key(partition or key)
        check_arguments(arguments)
        self._check_defined(name)
        options = EnqueueOptions(
            workflow_name=name,
            queue_name=name,
            workflow_id=key,
            # Every job has a partition, or the queue would not take it; its own is no limit.
            queue_partition_key=partition or key,
        )
        if delay_seconds > 0:
            options["delay_seconds"] = delay_seconds
        records.prepare_session(session)
        try:
            self._client.enqueue_in_transaction(session, options, dict(arguments))
        except dbos_error.DBOSConflictingWorkflowError:
            raise KeyTaken(
                f"The key {key!r} names a job of another kind.",
                "Begin the key with the job's name.",
            ) from None

    def status(self, key: str) -> JobStatus | None:
        """Return where a job stands, None when there is none of this key."""
        found = self._client.list_workflows(workflow_ids=[key], load_input=False)
        return status_of(found[0]) if found else None

    def cancel(self, key: str) -> None:
        """Cancel a job: one that waits never runs, a running one ends before its next step.

        Writes on a connection of its own: call it outside of an open writing transaction.

        Raises:
            JobUnknown: there is none of this key.
        """
        if self.status(key) is None:
            raise _unknown(key)
        self._client.cancel_workflow(key)

    def wait(self, key: str, timeout_seconds: float) -> JobStatus:
        """Return the status of a job once it has ended.

        Raises:
            JobUnknown: there is none of this key.
            JobNotDone: it has not ended in this time.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            status = self.status(key)
            if status is None:
                raise _unknown(key)
            if status.is_ended:
                return status
            if time.monotonic() >= deadline:
                raise JobNotDone(
                    f"The job {key} is {status.state} after {timeout_seconds:g} seconds.",
                    "Ask again later; it goes on by itself.",
                )
            time.sleep(0.1)

    def is_fenced(self) -> bool:
        """Tell whether others may by now have taken this process for dead."""
        return self._reaper is not None and self._reaper.is_fenced()

    def is_cancelled(self, key: str) -> bool:
        """Tell whether a job was cancelled."""
        status = self.status(key)
        return status is not None and status.state == "cancelled"

    def _launch(self) -> None:
        self.prepare()
        beat_seconds, ttl_seconds = self._beat
        reaper = recovery.Reaper(
            self._beat_connections,
            self._client,
            self.executor_id,
            self._version,
            beat_seconds=beat_seconds,
            ttl_seconds=ttl_seconds,
            alone=self._held is not None,
            when_well=self._take_up_again,
        )
        DBOS(config=self._configuration())
        for definition in self._definitions.values():
            self._register(definition)
        DBOS.listen_queues(sorted(self._definitions))
        # Before the first job: a running executor without a beat would look dead to the others.
        reaper.start()
        self._reaper = reaper
        DBOS.launch()
        if self._held is not None:
            recovery.tell_stranded(self._client, {self.executor_id}, self._version)
            dead = recovery.recover(self._client, {self.executor_id}, self._version)
            records.forget_executors(self._beat_connections, dead)

    def _configuration(self) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_url": self._url,
            "system_database_engine": self._connections,
            "executor_id": self.executor_id,
            # Not said, it would be a hash of the code, and an upgrade would strand every job.
            "application_version": self._version,
            # The default is pickle: reading it would run whatever the database holds.
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
        }

    def _register(self, definition: _Definition) -> None:
        # The queue is known before DBOS looks for it, so that the first job waits for no re-read.
        self._client.register_queue(
            definition.name,
            worker_concurrency=definition.concurrency,
            partition_concurrency=1,
            polling_interval_sec=POLLING_SECONDS,
        )

        def run(arguments: dict[str, str]) -> None:
            self._run(definition, arguments)

        DBOS.workflow(name=definition.name, max_recovery_attempts=definition.max_recoveries)(run)

    def _run(self, definition: _Definition, arguments: dict[str, str]) -> None:
        key = DBOS.workflow_id
        if key is None or self.stopping.is_set():
            # Claimed in the moment of stopping: the next start takes it up.
            raise JobAbandoned(key)
        with self._counted(key):
            try:
                definition.function(JobContext(key, self), arguments)
            except JobAbandoned:
                with self._changed:
                    self._let_down.add(key)
                raise
            except Exception as problem:
                # The boundary of a worker: the log has the whole, the engine's table the code.
                _log.exception("job %s failed", key)
                raise noise.JobRecordedAsFailed(cause_of(problem)) from None

    @contextmanager
    def _counted(self, key: str) -> Iterator[None]:
        with self._changed:
            self._running.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._running.discard(key)
                self._changed.notify_all()

    def _take_up_again(self) -> None:
        """Enqueue the jobs that this process let go of in a silence and that nobody took over.

        They are still in its name, and its name is among the living: no reaper would look at them.
        """
        with self._changed:
            keys = set() if self.stopping.is_set() else self._let_down - self._running
            self._let_down -= keys
        recovery.enqueue_own(self._client, self.executor_id, keys)

    def _check_defined(self, name: str) -> None:
        if self._definitions and name not in self._definitions.keys() | self._elsewhere:
            raise JobUndefined(
                f"No job is called {name!r}.",
                f"There are: {', '.join(sorted(self._definitions))}.",
            )

    def _let_go(self) -> None:
        if self._reaper is not None:
            self._reaper.stop()
            self._reaper = None
        if self._held is not None:
            self._held.release()
            self._held = None
        _one_to_a_process.release()


def _end_dbos() -> None:
    DBOS.destroy(destroy_registry=True)


def _outside_of_loops(function: Callable[[], None]) -> None:
    """Call a blocking function; beside a running event loop in a thread of its own.

    DBOS would adopt the loop of the thread that launches it, and refuses blocking calls there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        function()
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="job-engine") as aside:
        aside.submit(function).result()


def _unknown(key: str) -> JobUnknown:
    return JobUnknown(f"There is no job {key[:80]!r}.", "Check the key.")
