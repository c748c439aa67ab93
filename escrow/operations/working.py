"""The worker at work: jobs, self-test, outbox, witnesses, stamps, watch; each in its own thread."""

from __future__ import annotations

import logging
import threading

from builders.errors import BuilderError
from escrow.operations.assembly import Worker
from escrow.operations.mailing import keep_sending
from escrow.operations.storing.keeping import keep_stored
from escrow.operations.watching import keep_watching
from escrow.operations.witnessing import keep_collecting, keep_stamping

_log = logging.getLogger("escrow.worker")


def begin_work(worker: Worker) -> None:
    """Start to work; returns at once, ends with the engine."""
    # Receiving needs no sandbox; verifying waits for it, so the test runs beside the rest.
    threading.Thread(target=_test_sandbox, args=(worker,), name="test-sandbox", daemon=True).start()
    worker.on.engine.start()
    storing = (worker.keeper, worker.on.engine.stopping)
    threading.Thread(target=keep_stored, args=storing, name="stores", daemon=True).start()
    if worker.sender is not None:
        # A thread of its own: a mail server that is slow to answer keeps nothing else waiting.
        sending = (worker.sender, worker.on.engine.stopping)
        threading.Thread(target=keep_sending, args=sending, name="notices", daemon=True).start()
    collecting = (worker.collector, worker.on.engine.stopping)
    threading.Thread(target=keep_collecting, args=collecting, name="witnesses", daemon=True).start()
    if worker.stamper.authorities:
        # A thread of its own: papers that wait for a slow authority keep no checkpoint waiting.
        stamping = (worker.stamper, worker.on.engine.stopping)
        threading.Thread(target=keep_stamping, args=stamping, name="stamps", daemon=True).start()
    watching = (worker.watch, worker.on.engine.stopping)
    threading.Thread(target=keep_watching, args=watching, name="watch", daemon=True).start()


def _test_sandbox(worker: Worker) -> None:
    """Try the sandbox at the start; where it does not hold nothing is verified, only received."""
    try:
        worker.runner.sweep("")
        worker.runner.check_safe()
    except BuilderError as problem:
        _log.error("no trial builds: %s %s", problem.reason, problem.remedy)
