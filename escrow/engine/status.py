"""Where a job stands, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dbos import PortableWorkflowError, WorkflowStatus

JobState = Literal["delayed", "waiting", "running", "done", "failed", "cancelled", "given-up"]

ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled", "given-up"})

_STATES: Mapping[str, JobState] = {
    "DELAYED": "delayed",
    "ENQUEUED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "given-up",
}


@dataclass(frozen=True)
class JobStatus:
    """Where a job stands.

    Args:
        failure: stable code (or class name) of what failed, when it failed.
        executor_id: the process that runs or ran it last.
    """

    key: str
    name: str
    state: JobState
    failure: str | None
    executor_id: str | None
    enqueued_at: datetime | None
    ended_at: datetime | None

    @property
    def is_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


def status_of(found: WorkflowStatus) -> JobStatus:
    """Return what DBOS knows of a job as our status."""
    failure = None
    if isinstance(found.error, PortableWorkflowError):
        failure = found.error.message
    elif found.error is not None:
        failure = type(found.error).__name__
    return JobStatus(
        key=found.workflow_id,
        name=found.name,
        state=_STATES[found.status],
        failure=failure,
        executor_id=found.executor_id,
        enqueued_at=_moment(found.created_at),
        ended_at=_moment(found.completed_at),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
