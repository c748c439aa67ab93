"""The loops in which the worker collects what witnesses and timestamp authorities say."""

from __future__ import annotations

import logging
import threading

from escrow.evidence.collecting import Collector
from escrow.evidence.timing.stamper import Stamper

# A checkpoint is cosigned well within a minute of its making.
ROUND_SECONDS = 15.0

# A paper is stamped within seconds of its signing; each look is one indexed read.
STAMP_SECONDS = 5.0

_log = logging.getLogger("escrow.witnesses")


def keep_collecting(
    collector: Collector, stopping: threading.Event, round_seconds: float = ROUND_SECONDS
) -> None:
    """Collect until told to stop; a worker's loop, for a thread of its own."""
    while not stopping.wait(round_seconds):
        try:
            collector.collect()
        except Exception:
            # A worker loop: a database that is away for a while must not end the collecting.
            _log.exception("nobody could be asked for a word on the log; it is tried again")


def keep_stamping(
    stamper: Stamper, stopping: threading.Event, round_seconds: float = STAMP_SECONDS
) -> None:
    """Get papers their timestamps until told to stop; a worker's loop, for a thread of its own."""
    while not stopping.wait(round_seconds):
        try:
            stamper.stamp_waiting(stopping.is_set)
        except Exception:
            # A worker loop: a database that is away for a while must not end the stamping.
            _log.exception("papers could not be stamped; it is tried again")
