"""``escrow serve``: keyholder, portal and worker on one machine, until told to stop."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable

import uvicorn

from builders.errors import BuilderError
from escrow.deposits.recovery import clear_up
from escrow.ground.settings import Settings
from escrow.operations.assembly import Service, assemble
from escrow.operations.installation import initialise, prepare, running_keyholder
from escrow.operations.mailing import keep_sending
from escrow.parties.idempotency import forget_expired
from escrow.portal.app import make_app

# Requests that are under way get this long to end; pushes and uploads are resumed or sent again.
GRACE_SECONDS = 10

# Uploads live for a day and receipts wait for seconds; a minute is soon enough for both.
UPKEEP_SECONDS = 60.0

_log = logging.getLogger("escrow.service")


def run_service(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        KeyManagerNotNamed, ScratchNotMemory: the settings are not safe for this environment.
        OtherKeyholder: the trust root is not this keyholder's.
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # The server raises again, after its own end, the signal that ended it; without a handler that
    # would be the end of everything, and what is stopped in order below would not be.
    signal.signal(signal.SIGTERM, _leave)
    for warning in settings.check_safe():
        _log.warning(warning)
    first = initialise(settings, new_token=False)
    if first.one_time_token:
        tell(f"One-time token for the first administrator: {first.one_time_token}")
    tell(f"Trust root: {first.fingerprint}")
    home = prepare(settings)
    with running_keyholder(settings, home) as root:
        service = assemble(settings, root)
        try:
            _run(service, tell)
        finally:
            service.engine.stop()
            service.rooms.desk.rest()
            service.database.close()


def _leave(*_: object) -> None:
    """End the process by way of every ``finally``."""
    raise SystemExit(0)


def _run(service: Service, tell: Callable[[str], None]) -> None:
    rooms, settings = service.rooms, service.settings
    clear_up(rooms.intake, rooms.desk, rooms.blobs, service.scratch.pushes)
    # Receiving needs no sandbox; verifying waits for it, so the test runs beside the portal.
    threading.Thread(
        target=_test_sandbox, args=(service,), name="test-sandbox", daemon=True
    ).start()
    service.engine.start()
    threading.Thread(target=_keep_up, args=(service,), name="upkeep", daemon=True).start()
    if service.sender is not None:
        # A thread of its own: a mail server that is slow to answer keeps nothing else waiting.
        sending = (service.sender, service.engine.stopping)
        threading.Thread(target=keep_sending, args=sending, name="notices", daemon=True).start()
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(rooms),
            host=settings.listen_host,
            port=settings.listen_port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # A push or an upload is one long request; what bounds it is in its own adapter.
            timeout_keep_alive=75,
            server_header=False,
        )
    )
    tell(f"Listening on {settings.public_url}")
    server.run()


def _keep_up(service: Service) -> None:
    """Do what nobody asks for: end what expired, complete what waits for its receipt."""
    rooms = service.rooms
    # At once at the start: a period may have ended while nobody was here.
    pause = 0.0
    while not service.engine.stopping.wait(pause):
        pause = UPKEEP_SECONDS
        try:
            rooms.desk.expire()
            rooms.intake.complete_unfinished()
            for problem in rooms.driver.push_all_on():
                _log.error("a release request does not move on: %s", problem)
            with rooms.database.writing() as session:
                forget_expired(session, rooms.clock.now())
        except Exception:
            # A worker loop: a database that is away for a while must not end the upkeep.
            _log.exception("the upkeep failed; it is tried again")


def _test_sandbox(service: Service) -> None:
    """Try the sandbox at the start; where it does not hold nothing is verified, only received."""
    try:
        service.runner.sweep("")
        service.runner.check_safe()
    except BuilderError as problem:
        _log.error("no trial builds: %s %s", problem.reason, problem.remedy)
