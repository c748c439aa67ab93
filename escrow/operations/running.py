"""What every process does at its beginning: its log, its end by a signal, its warnings."""

from __future__ import annotations

import logging
import signal
import sys

from escrow.ground.settings import ProcessName, Settings


def begin(settings: Settings, process: ProcessName) -> logging.Logger:
    """Make this a process of the service, and return its log.

    Raises:
        KeyManagerNotNamed, ScratchNotMemory, DatabaseOnNetwork: the settings are not safe for it.
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # The server raises again, after its own end, the signal that ended it; without a handler that
    # would be the end of everything, and what is stopped in order would not be.
    signal.signal(signal.SIGTERM, _leave)
    log = logging.getLogger(f"escrow.{process}")
    for warning in settings.check_safe(process):
        log.warning(warning)
    return log


def _leave(*_: object) -> None:
    """End the process by way of every ``finally``."""
    raise SystemExit(0)
