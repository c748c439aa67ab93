"""The portal at work: it clears up, answers, and does what nobody asks for."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

import uvicorn

from escrow.deposits.records import all_products
from escrow.deposits.recovery import clear_up
from escrow.endings.letting_go import LetGo
from escrow.endings.removing import Remover
from escrow.ground.errors import Unavailable
from escrow.ground.identifiers import ProductId
from escrow.ground.settings import Settings
from escrow.operations.assembly import Portal
from escrow.parties.idempotency import forget_expired
from escrow.portal.app import make_app
from escrow.portal.rooms import Rooms
from escrow.register.proofs import keep_proofs_current

# Requests that are under way get this long to end; pushes and uploads are resumed or sent again.
GRACE_SECONDS = 10

# Uploads live for a day and receipts wait for seconds; a minute is soon enough for both.
UPKEEP_SECONDS = 60.0

# Who is overdue changes by the day, and looking takes milliseconds for each agreement.
CUSTODY_SECONDS = 3_600.0


class AddressTaken(Unavailable):
    """The service cannot listen where it is told to."""

    code = "service.address-taken"

    def __init__(self, host: str, port: int, problem: str) -> None:
        super().__init__(
            f"The service cannot listen on {host} port {port}: {problem}.",
            "Stop what listens there, or set ESCROW_LISTEN_PORT (and ESCROW_PUBLIC_URL) to another "
            "port.",
        )


_log = logging.getLogger("escrow.portal")


def tidy(portal: Portal) -> None:
    """Remove what a dead predecessor left; before anybody else writes into the same store."""
    rooms = portal.rooms
    clear_up(rooms.intake, rooms.desk, rooms.blobs, portal.scratch.pushes)


def answer(portal: Portal, tell: Callable[[str], None]) -> None:
    """Answer requests until told to stop."""
    rooms, settings = portal.rooms, portal.on.settings
    threading.Thread(target=_keep_up, args=(portal,), name="upkeep", daemon=True).start()
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(rooms),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # A push or an upload is one long request; what bounds it is in its own adapter.
            timeout_keep_alive=75,
            server_header=False,
        )
    )
    # Bound before it is told: whoever reads the line may call at once, and waits for the answer.
    with _listener(settings) as listener:
        tell(f"Listening on {settings.public_url}")
        server.run(sockets=[listener])


def _listener(settings: Settings) -> socket.socket:
    """Return the socket that the service answers on.

    Raises:
        AddressTaken: another program has it, or this machine has no such address.
    """
    host, port = settings.listen_host, settings.listen_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as problem:
        raise AddressTaken(host, port, problem.strerror or str(problem)) from problem


def _keep_up(portal: Portal) -> None:
    """Do what nobody asks for: end what expired, complete what waits for its receipt.

    Moving requests on by the clock is here too, and not with the worker: each step of a request
    is believed from one role alone, and these are the portal's.
    """
    rooms, stopping = portal.rooms, portal.on.engine.stopping
    let_go = LetGo(rooms.trust_root.ledger_keys)
    # At once at the start: a period may have ended while nobody was here.
    pause = custody_at = 0.0
    while not stopping.wait(pause):
        pause = UPKEEP_SECONDS
        try:
            rooms.desk.expire()
            rooms.intake.complete_unfinished()
            for problem in rooms.driver.push_all_on():
                _log.error("a release request does not move on: %s", problem)
            if time.monotonic() >= custody_at:
                rooms.custody.ask_what_is_due()
                rooms.custody.tell_of_all()
                custody_at = time.monotonic() + CUSTODY_SECONDS
            for problem in rooms.custody.push_all_on():
                _log.error("a session of agents does not move on: %s", problem)
            _end_what_is_due(rooms, let_go)
            with rooms.database.writing() as session:
                keep_proofs_current(session, rooms.scribe, rooms.clock.now())
                forget_expired(session, rooms.clock.now())
        except Exception:
            # A worker loop: a database that is away for a while must not end the upkeep.
            _log.exception("the upkeep failed; it is tried again")


def _end_what_is_due(rooms: Rooms, let_go: LetGo) -> None:
    """Move endings on, drop what retention drops, and remove ciphertext that nobody opens."""
    with rooms.database.reading() as session:
        products = [ProductId(one.id) for one in all_products(session)]
    for problem in rooms.endings.push_all_on(products):
        _log.error("an ending does not move on: %s", problem)
    Remover(rooms.database, rooms.blobs, rooms.scribe, rooms.clock, let_go).remove_all()
