"""DBOS's own log, brought into ours.

DBOS prints to the console by a handler of its own, advertises its paid service at every start and
prints a traceback for each cancelled job. Here its records go the way of all others, from warning
level up, without those that only repeat what this room logs itself.
"""

from __future__ import annotations

import logging

from dbos import error as dbos_error

LOGGER_NAME = "dbos"

_EXPECTED = (
    # A job that was cancelled or that another executor took over ends here by design.
    "was cancelled during execution",
    "no longer owned by this execution",
    # A step still running when the service stops; the room's own warning names the job.
    "did not exit within timeout",
)


class JobRecordedAsFailed(Exception):
    """What is written down about a failed job: the stable code of the cause and nothing more."""


class _WithoutRepetitions(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record says something that this room did not log itself."""
        cause = record.exc_info[1] if record.exc_info else None
        if isinstance(cause, (JobRecordedAsFailed, dbos_error.DBOSAwaitedWorkflowCancelledError)):
            return False
        return not any(words in str(record.msg) for words in _EXPECTED)


_FILTER = _WithoutRepetitions()


def quieten() -> None:
    """Lead DBOS's records into the root logger; call before DBOS is set up."""
    logger = logging.getLogger(LOGGER_NAME)
    # With any handler in place DBOS adds none, and leaves propagation on.
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    if _FILTER not in logger.filters:
        logger.addFilter(_FILTER)
