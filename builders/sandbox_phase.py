"""One phase: one confined container from creation to removal, and what became of it.

Pre-state: the image is there and the workspace is mounted by its holder. Duties: the command runs
once, within every limit, and its output is kept up to the cap. Post-state: the container is gone,
whatever happened; a failed command is a result, a broken engine is an exception.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from docker.errors import APIError

from builders.errors import EngineUnavailable
from builders.orders import PhaseResult
from builders.sandbox_confinement import ContainerOrder, create_container
from builders.sandbox_engine import ENGINE_FAILURES, Engine
from builders.sandbox_streams import Attachment, OnOutput, OutputReader

# How long the engine may take to bury a container that was killed.
BURIAL_SECONDS_MAX = 60

# Below this the engine's own record is whole (it rotates at twice ENGINE_LOG_FILE), and comparing
# costs nothing; it makes good the rare short run whose output the connection lost.
RECORD_COMPARED_BYTES = 1 << 20


@dataclass(frozen=True)
class OutputTerms:
    """How much a phase may say, and who listens while it runs."""

    limit_bytes: int
    on_output: OnOutput | None = None


class _Ending:
    """Ends a container early, at most once for the record: the first reason stands."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._engine = engine
        self._container = container
        self._lock = threading.Lock()
        self.timed_out = False
        self.stopped = False

    def out_of_time(self) -> None:
        """End it because its time is up."""
        with self._lock:
            self.timed_out = self._kill()

    def stop(self) -> None:
        """End it because its output is too much, or nobody can take it."""
        with self._lock:
            self.stopped = self._kill()

    def _kill(self) -> bool:
        """Kill, never stop: hostile code ignores a polite signal. False: it had ended before."""
        try:
            self._engine.api.kill(self._container)
        except APIError as problem:
            return not problem.is_client_error()
        except ENGINE_FAILURES:
            return True  # the waiting thread meets the engine too, and tells
        return True


class _Waiter(threading.Thread):
    """Waits for a container's end, which the timer brings at the latest."""

    def __init__(self, engine: Engine, container: str, seconds: float) -> None:
        super().__init__(name="container-end", daemon=True)
        self._engine = engine
        self._container = container
        self._patience_seconds = int(seconds) + BURIAL_SECONDS_MAX
        self._over = threading.Event()
        self._exit_code: int | None = None

    def is_over(self) -> bool:
        """Whether the container has ended, or nobody can say any more."""
        return self._over.is_set()

    def run(self) -> None:
        """Wait; a broken engine leaves no exit code."""
        try:
            with contextlib.suppress(*ENGINE_FAILURES):
                ended = self._engine.api.wait(self._container, timeout=self._patience_seconds)
                self._exit_code = None if ended.get("Error") else int(ended["StatusCode"])
        finally:
            self._over.set()

    def exit_code(self) -> int:
        """Return the exit code, once there is one.

        Raises:
            EngineUnavailable: the engine lost the container.
        """
        self._over.wait()
        if self._exit_code is None:
            raise EngineUnavailable(
                "The container engine lost a container that it was running.",
                "The same trial build may succeed later; look at the engine's own log.",
            )
        return self._exit_code


def run_phase(
    engine: Engine,
    order: ContainerOrder,
    phase: str,
    output: OutputTerms,
    stdin: Iterable[bytes] | None,
) -> PhaseResult:
    """Run one container to its end and remove it.

    Raises:
        EngineUnavailable: the engine broke; nothing is known about the command.
        Exception: whatever ``stdin`` or the receiver of the output raised.
    """
    with engine.answering():
        container = create_container(engine.api, order)
    try:
        return _run_created(engine, order, container, phase, output, stdin)
    finally:
        remove_container(engine, container)


def _run_created(
    engine: Engine,
    order: ContainerOrder,
    container: str,
    phase: str,
    output: OutputTerms,
    stdin: Iterable[bytes] | None,
) -> PhaseResult:
    ending = _Ending(engine, container)
    with engine.answering():
        heard = Attachment(engine.api, container)
        told = Attachment(engine.api, container, stdin=True) if stdin is not None else None
    reader = OutputReader(heard, output.limit_bytes, output.on_output, ending.stop)
    reader.start()
    try:
        exit_code, wall_seconds = _run_to_end(
            engine, container, ending, order.limits.seconds, told, stdin or ()
        )
        reader.join(BURIAL_SECONDS_MAX)
        oom_killed = _was_oom_killed(engine, container)
        _complete_output(engine, container, reader)
    finally:
        for attachment in (heard, told):
            if attachment is not None:
                attachment.close()
    if reader.failure is not None:
        raise reader.failure
    killed = ending.timed_out or ending.stopped
    return PhaseResult(
        phase=phase,
        exit_code=None if killed else exit_code,
        timed_out=ending.timed_out,
        oom_killed=oom_killed,
        output_flooded=reader.flooded,
        wall_seconds=wall_seconds,
        stdout=reader.kept("stdout"),
        stderr=reader.kept("stderr"),
    )


def _run_to_end(
    engine: Engine,
    container: str,
    ending: _Ending,
    seconds: float,
    told: Attachment | None,
    stdin: Iterable[bytes],
) -> tuple[int, float]:
    """Start the container, feed it, and return its exit code and how long it ran."""
    timer = threading.Timer(seconds, ending.out_of_time)
    waiter = _Waiter(engine, container, seconds)
    with engine.answering():
        engine.api.start(container)
    started = time.monotonic()
    try:
        timer.start()
        waiter.start()
        if told is not None:
            # In the caller's own thread, so that what he reads from stays in one thread.
            told.send(stdin, waiter.is_over)
        return waiter.exit_code(), time.monotonic() - started
    finally:
        timer.cancel()


def _was_oom_killed(engine: Engine, container: str) -> bool:
    """Return whether any process of the container was killed for its memory.

    The exit code does not tell: a killed child of a pipe, or of make -k, leaves 0.
    """
    with engine.answering():
        return bool(engine.api.inspect_container(container)["State"]["OOMKilled"])


def _complete_output(engine: Engine, container: str, reader: OutputReader) -> None:
    """Take from the engine's own record what the connection may have lost."""
    if reader.flooded or reader.failure is not None or reader.kept_bytes > RECORD_COMPARED_BYTES:
        return
    for stream in ("stdout", "stderr"):
        with engine.answering():
            record = engine.api.logs(
                container, stdout=stream == "stdout", stderr=stream == "stderr"
            )
        reader.complete_from(stream, record)


def remove_container(engine: Engine, container: str) -> None:
    """Kill and remove a container. What cannot be removed now, the sweeper takes later."""
    # Tidying must not hide the error that led here.
    with contextlib.suppress(*ENGINE_FAILURES):
        engine.api.remove_container(container, force=True, v=True)
