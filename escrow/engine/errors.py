"""What can go wrong with jobs, one class for each question.

::

    InvalidInput  NotAnIdentifier, ResultTooLarge
    Refused       KeyTaken, JobUndefined, AlreadyStarted
    NotFound      JobUnknown
    Unavailable   FileHeldByOther, JobNotDone, StepFailed
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotFound, Refused, Unavailable


class NotAnIdentifier(InvalidInput):
    """Something that is no identifier was to pass through the engine."""

    code = "engine.not-an-identifier"


class ResultUnfit(InvalidInput):
    """The result of a step is no small JSON value, or holds what must not be written down."""

    code = "engine.result-unfit"


class KeyTaken(Refused):
    """The key already names a job of another kind."""

    code = "engine.key-taken"


class JobUndefined(Refused):
    """No function was defined for a job of this name."""

    code = "engine.job-undefined"


class AlreadyStarted(Refused):
    """The engine runs already, or another one runs in this process."""

    code = "engine.already-started"


class NoFile(Refused):
    """The SQLite database is not a file, so no two processes can share or lock it."""

    code = "engine.no-file"


class JobUnknown(NotFound):
    """There is no job of this key."""

    code = "engine.job-unknown"


class FileHeldByOther(Unavailable):
    """Another service works on the same SQLite file."""

    code = "engine.file-held-by-other"


class JobNotDone(Unavailable):
    """The job did not end in the time that the caller wanted to wait."""

    code = "engine.job-not-done"


class StepFailed(Unavailable):
    """A step of a job failed for good; live and after a restart the job sees the same.

    Args:
        step: the step's name.
        cause: stable code of what failed, or the name of its class when it has none.
    """

    code = "engine.step-failed"

    def __init__(self, step: str, cause: str) -> None:
        super().__init__(
            f"The step {step!r} of a job failed: {cause}.",
            "See the service's log at the time for the whole of it.",
        )
        self.step = step
        self.cause = cause
