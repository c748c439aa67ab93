"""Whether a process that runs apart does its part, asked from beside it: for health checks."""

from __future__ import annotations

import http.client
import socket
from typing import Final

from escrow.ground.errors import Unavailable
from escrow.ground.settings import Settings
from escrow.operations.calls.mutual_tls import Address, TlsLine
from escrow.operations.home import Home
from escrow.operations.introductions import Introduction, credential_files
from escrow.operations.keyholder.client import call
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.wire import PORTAL, WORKER, worker_called

# A health check that is not answered by then counts as failed anyway.
PATIENCE_SECONDS: Final = 5.0


class NotAlive(Unavailable):
    """A process that was asked after does not do its part."""

    code = "apart.not-alive"


def check_alive(settings: Settings, process: str) -> None:
    """Return when the process of these settings does its part.

    A portal answers its readers; a worker, which has no port, is known to the keyholder and can
    ask it; a keyholder listens.

    Raises:
        NotAlive: it does not.
        KeyholderOut: the worker cannot ask the keyholder.
    """
    try:
        _CHECKS[process](settings)
    except (OSError, ValueError, KeyError) as problem:
        raise NotAlive(
            f"The {process} does not answer as it should ({type(problem).__name__}).",
            "Read its log.",
        ) from problem


def _check_portal(settings: Settings) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", settings.listen_port, PATIENCE_SECONDS)
    try:
        connection.request("GET", "/api/v1/health")
        if connection.getresponse().status != 200:
            raise ValueError("not well")
    finally:
        connection.close()


def _check_worker(settings: Settings) -> None:
    home = Home(settings.home)
    text = (home.acquaintances / f"{KEYHOLDER}.json").read_text(encoding="utf-8")
    own = credential_files(home, worker_called(settings.worker_name))
    address = Address.parse(settings.keyholder_address or "")
    call(TlsLine(address, own, Introduction.from_json(text).certificate), "ping", {})


def _check_keyholder(settings: Settings) -> None:
    address = Address.parse(settings.keyholder_listen or "")
    socket.create_connection((address.host, address.port), PATIENCE_SECONDS).close()


_CHECKS = {PORTAL: _check_portal, WORKER: _check_worker, KEYHOLDER: _check_keyholder}
