"""What a running job is given: steps that are remembered, and the news that it should end.

A step that returned is never run again, however often the job is taken up anew. A step that did
not return may run again, even while its first run still breathes on a frozen machine: so its
effects are made repeatable by the room that writes them (content-addressed outputs, unique keys).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from dbos import DBOS
from dbos import error as dbos_error

from escrow.engine.errors import StepFailed
from escrow.engine.identifiers import check_job_name, checked_result
from escrow.ground.errors import (
    EscrowError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    Refused,
    Tampered,
)

T = TypeVar("T")

# What the same call would answer again; repeating it helps nobody.
_NEVER_RETRIED = (InvalidInput, Refused, NotAuthenticated, NotFound, Tampered)

# A dependency that stays away for this long is looked for no more often than this.
MAX_BACKOFF_SECONDS = 300.0

# A running step may ask whether it is still wanted in every turn of a loop; the database is asked
# at most this often.
WANTED_SECONDS = 1.0

_log = logging.getLogger("escrow.engine")


class JobAbandoned(BaseException):
    """The job ends here without an outcome: cancelled, taken over, or left to the next start.

    No :class:`Exception`, so that no handler of a job takes it for a failure; ``finally`` runs.
    """


class Oversight(Protocol):
    """What the engine knows that a running job has to heed."""

    stopping: threading.Event

    def is_fenced(self) -> bool:
        """Tell whether others may by now have taken this process for dead."""
        ...

    def is_cancelled(self, key: str) -> bool:
        """Tell whether somebody cancelled the job."""
        ...


class JobContext:
    """One run of one job, in one thread."""

    def __init__(self, key: str, oversight: Oversight) -> None:
        self.key = key
        self._oversight = oversight
        self._asked_at = time.monotonic()

    def step(
        self,
        name: str,
        function: Callable[[], T],
        *,
        attempts: int = 1,
        backoff_seconds: float = 1.0,
    ) -> T:
        """Run a function once and remember what it returned.

        Args:
            name: what the step is called; the order and names of a job's steps never change
                within one application version.
            function: its result is small JSON, and comes back as JSON reads it (lists, no tuples).
            attempts: how often it is tried in all; errors that would only repeat are not.
            backoff_seconds: the first pause between attempts; each next one is twice as long.

        Raises:
            StepFailed: every attempt failed; remembered too.
            JobAbandoned: the service stops, or the job is not wanted any more.
        """
        check_job_name(name)
        self._check_going_on()

        def attempt() -> dict[str, Any]:
            return self._attempt(name, function, attempts, backoff_seconds)

        try:
            outcome = DBOS.run_step({"name": name}, attempt)
        except (
            dbos_error.DBOSWorkflowCancelledError,
            dbos_error.DBOSWorkflowConflictIDError,
        ):
            raise JobAbandoned(self.key) from None
        if "failed" in outcome:
            raise StepFailed(name, outcome["failed"])
        return cast("T", outcome["value"])

    def check_still_wanted(self) -> None:
        """Return when the job should go on; call it in the loops of a long step.

        Raises:
            JobAbandoned: the service stops, the job was cancelled, or this process was silent for
                so long that another may have taken the job over. Clean up in ``finally``.
        """
        self._check_going_on()
        now = time.monotonic()
        if now - self._asked_at >= WANTED_SECONDS:
            self._asked_at = now
            if self._oversight.is_cancelled(self.key):
                raise JobAbandoned(self.key)

    def _check_going_on(self) -> None:
        if self._oversight.stopping.is_set() or self._oversight.is_fenced():
            raise JobAbandoned(self.key)

    def _attempt(
        self, name: str, function: Callable[[], T], attempts: int, backoff_seconds: float
    ) -> dict[str, Any]:
        for number in range(1, attempts + 1):
            try:
                return {"value": checked_result(function())}
            except Exception as problem:
                # The boundary of a worker: whatever fails becomes a remembered code, because the
                # sentence may hold what the engine's tables must not.
                _log.warning(
                    "step %s of job %s failed, attempt %d of %d",
                    *(name, self.key, number, attempts),
                    exc_info=problem,
                )
                if number == attempts or isinstance(problem, _NEVER_RETRIED):
                    return {"failed": cause_of(problem)}
                pause = min(backoff_seconds * 2 ** (number - 1), MAX_BACKOFF_SECONDS)
                self._oversight.stopping.wait(pause)
                self._check_going_on()
        raise AssertionError("a step has at least one attempt")


def cause_of(problem: Exception) -> str:
    """Return what is written down about an error: its stable code, else its class's name."""
    if isinstance(problem, StepFailed):
        return problem.cause
    return problem.code if isinstance(problem, EscrowError) else type(problem).__name__
