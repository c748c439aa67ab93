"""The loop in which the worker watches for deposits that are owed and do not come."""

from __future__ import annotations

import logging
import threading

from escrow.verification.missing.watch import Watch

# Cadences are counted in days; an hour late is soon enough for a notice, and every look is cheap.
ROUND_SECONDS = 600.0

# A worker that is started for a moment only has other things to do first.
FIRST_SECONDS = 5.0

_log = logging.getLogger("escrow.watch")


def keep_watching(
    watch: Watch, stopping: threading.Event, round_seconds: float = ROUND_SECONDS
) -> None:
    """Look until told to stop; a worker's loop, for a thread of its own."""
    pause = FIRST_SECONDS
    while not stopping.wait(pause):
        pause = round_seconds
        try:
            watch.look()
        except Exception:
            # A worker loop: a database that is away for a while must not end the watch.
            _log.exception("nobody could look for missing deposits; it is tried again")
