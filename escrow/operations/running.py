"""What every process does at its beginning: its log, its end by a signal, its warnings."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from escrow.ground.errors import EscrowError
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


@contextmanager
def faults_logged() -> Iterator[None]:
    """Write a fault that ends the process into its log, whole.

    The command line keeps it in a temporary file, which in a container is gone with the process.
    """
    try:
        yield
    except EscrowError:
        # Said in its own words by the command line.
        raise
    except Exception:
        logging.getLogger("escrow").exception("the process ends by an error of its own")
        raise


def _leave(*_: object) -> None:
    """End the process by way of every ``finally``."""
    raise SystemExit(0)
