"""``escrow portal`` and ``escrow worker``: each a process of its own, with its own keys and home.

What each has is what it is given here, and the table of processes in docs/architecture.md says
what that may be. The third, the keyholder, is :mod:`escrow.operations.keyholder.process`.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from escrow.ground.errors import InvalidInput
from escrow.ground.settings import Settings
from escrow.ledger.events import NAME_MARK
from escrow.operations.answering import answer, tidy
from escrow.operations.assembly import (
    Footing,
    Portal,
    Scratch,
    assemble_portal,
    assemble_worker,
    footing,
)
from escrow.operations.calls.mutual_tls import Address, Credentials, TlsLine, TlsServer
from escrow.operations.home import Home, lay_out_apart
from escrow.operations.introductions import (
    Introduction,
    meet,
    own_credentials,
    pin_trust_root,
    workers_named,
)
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.wire import PORTAL, worker_called
from escrow.operations.log_relay import RemoteMirror, keep_clearing, keep_relaying, relay_desk
from escrow.operations.own_keys import portal_key, worker_keys
from escrow.operations.running import begin
from escrow.operations.working import begin_work
from escrow.verification.mirror import LogMirror, LogSender

Tell = Callable[[str], None]


class AddressMissing(InvalidInput):
    """A process that runs apart is not told where another one is."""

    code = "apart.address-missing"


class WorkerNotNamed(InvalidInput):
    """A worker has a name that the list of the workers lacks."""

    code = "apart.worker-not-named"


def run_portal(settings: Settings, tell: Tell) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        AddressMissing: no keyholder is named.
        ProcessMissing, ProcessExchanged: another process did not come, or is another.
    """
    begin(settings, "portal")
    with _own_home(settings) as home:
        key = portal_key(home)
        credentials, certificate = own_credentials(home, PORTAL)
    own = Introduction(PORTAL, {PORTAL: key.public}, certificate)
    workers = workers_named(settings)
    on, others = _found_others(settings, home, own, credentials, workers, tell)
    portal = assemble_portal(on, key, Scratch(settings.scratch).laid_out())
    try:
        tidy(portal)
        if settings.relay_listen is not None:
            peers = {name: others[name].certificate for name in workers}
            desk = relay_desk(_mirror(portal))
            _begin_relay(TlsServer(Address.parse(settings.relay_listen), credentials, peers, desk))
        answer(portal, tell)
    finally:
        on.engine.stop()
        portal.rooms.desk.rest()
        on.database.close()


def run_worker(settings: Settings, tell: Tell) -> None:
    """Run until SIGTERM or SIGINT; several may run with one home, or with copies of it.

    One that the settings give a name has a home and keys of its own, and confirms what others
    found.

    Raises:
        WorkerNotNamed: it has a name, and the settings do not list it.
        AddressMissing: no keyholder is named.
        ProcessMissing, ProcessExchanged: another process did not come, or is another.
    """
    name = worker_called(settings.worker_name)
    if name not in workers_named(settings):
        raise WorkerNotNamed(
            f"ESCROW_MORE_WORKERS does not list the worker {settings.worker_name!r}.",
            "Put its name there, in the settings of every process, and start the keyholder anew.",
        )
    begin(settings, "worker")
    with _own_home(settings) as home:
        keys = worker_keys(home)
        credentials, certificate = own_credentials(home, name)
    recipient = str(keys.identity.recipient)
    own = Introduction(name, {name: keys.report.public}, certificate, recipient)
    on, others = _found_others(settings, home, own, credentials, (PORTAL,), tell)
    worker = assemble_worker(on, keys, Scratch(settings.scratch).laid_out())
    try:
        begin_work(worker)
        if settings.relay_address is not None:
            address = Address.parse(settings.relay_address)
            line = TlsLine(address, credentials, others[PORTAL].certificate)
            sender = LogSender(worker.log_scratch, RemoteMirror(line))
            sending = (sender, on.engine.stopping)
            threading.Thread(target=keep_relaying, args=sending, name="logs", daemon=True).start()
        tell("Working.")
        # Until a signal raises in here.
        threading.Event().wait()
    finally:
        on.close()


def _mirror(portal: Portal) -> LogMirror:
    """Return the mirror of the workers' live logs; what a dead worker left in it is cleared."""
    mirror = LogMirror(portal.rooms.log_scratch)
    clearing = (mirror, portal.on.database, portal.on.engine.stopping)
    threading.Thread(target=keep_clearing, args=clearing, name="mirror", daemon=True).start()
    return mirror


def _begin_relay(server: TlsServer) -> None:
    # It holds nothing that an end could hurt: a worker sends again what was not taken.
    threading.Thread(target=server.serve_forever, name="relay", daemon=True).start()


@contextmanager
def _own_home(settings: Settings) -> Iterator[Home]:
    """Give the process's home, for the making of its keys, to one process at a time."""
    home = Home(settings.home)
    lay_out_apart(home, home.service)
    with home.lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home


def _found_others(
    settings: Settings,
    home: Home,
    own: Introduction,
    credentials: Credentials,
    neighbours: Sequence[str],
    tell: Tell,
) -> tuple[Footing, dict[str, Introduction]]:
    """Meet the keyholder and the neighbours, and return what we stand on, and all of them."""
    if settings.keyholder_address is None:
        raise AddressMissing(
            f"The {own.role} is not told where the keyholder is.",
            "Set ESCROW_KEYHOLDER_ADDRESS to its host:port, or run all on one machine with "
            "'escrow serve'.",
        )
    others = meet(settings, home, own, (KEYHOLDER, *neighbours))
    root = pin_trust_root(settings, home, own)
    tell(f"Trust root: {root.fingerprint()}")
    address = Address.parse(settings.keyholder_address)
    line = TlsLine(address, credentials, others[KEYHOLDER].certificate)
    process = own.role.replace(NAME_MARK, "-")
    on = footing(settings, root, line, process, f"staging-{process}")
    return on, others
