"""The keyholder's process: beside the service on one machine, or apart on a network of its own.

Beside the service it starts as whoever starts it and drops to its own user. Everything that it
needs is loaded *before* privileges are dropped: the program's files may lie where its own user
cannot read. Secrets are opened only after, from its own folder.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from escrow import __version__
from escrow.evidence.anchors import Anchors, read_anchors
from escrow.evidence.statements import Stamp
from escrow.ground.clock import SystemClock
from escrow.ground.database import Database
from escrow.ground.digests import canonical_json
from escrow.ground.identifiers import AgreementId
from escrow.ground.settings import Settings
from escrow.ground.signatures import PublicKey
from escrow.operations.calls.lines import Desk, Verb
from escrow.operations.calls.mutual_tls import Address, TlsServer
from escrow.operations.calls.unix import UnixServer
from escrow.operations.home import (
    SERVICE_NAME,
    Home,
    drop_privileges,
    lay_out_apart,
    own_user,
)
from escrow.operations.introductions import (
    Introduction,
    make_trust_root,
    meet,
    own_credentials,
    workers_named,
)
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.operations.keyholder.custody import Custody
from escrow.operations.keyholder.disk import KEYHOLDER, OwnDisk, Pinned
from escrow.operations.keyholder.documents import Documents
from escrow.operations.keyholder.endings import Endings
from escrow.operations.keyholder.grounds import Grounds, grounds_of
from escrow.operations.keyholder.key_managers import key_manager_of, load_key_manager
from escrow.operations.keyholder.lanes import Lanes
from escrow.operations.keyholder.releases import Releases
from escrow.operations.keyholder.restoring import Restoring
from escrow.operations.keyholder.wire import PORTAL, keyholder_desk
from escrow.operations.running import begin
from escrow.vault import age
from escrow.vault.ceremony import deal
from escrow.vault.continuity.copies import ContinuityFolder, Holders

# What nobody closed is closed by the clock; looking every ten minutes is often enough
# for a limit of days.
SWEEP_SECONDS = 600.0

_log = logging.getLogger("escrow.keyholder")


def run_keyholder(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; beside the service until the process that started us is gone.

    Raises:
        ProcessMissing, ProcessExchanged: portal or worker did not come, or is another.
    """
    if settings.keyholder_listen is None:
        _run_beside(settings)
    else:
        _run_apart(settings, Address.parse(settings.keyholder_listen))


def _run_beside(settings: Settings) -> None:
    """Answer the service of this machine, on a socket."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    home = Home(settings.home)
    starter = os.geteuid()
    parent = os.getppid()
    user = own_user(settings.keyholder_user)
    # The operator's files are read while they still can be.
    pinned, anchors = Pinned.read(home.pinned), read_anchors(settings.anchors)
    _load_before_dropping(settings)
    if user is not None:
        drop_privileges(user)
    else:
        _log.warning("the keyholder shares the service's user: start as root to separate them")
    disk = OwnDisk(home.keyholder)
    with _desk(settings, disk, pinned, anchors) as desk:
        _publish(home.keyholder_public, disk)
        server = UnixServer(home.socket, desk, frozenset({0, starter, os.geteuid()}))
        _watch_parent(server, parent)
        _serve(server)


def _run_apart(settings: Settings, address: Address) -> None:
    """Answer portal and worker, wherever they run, on one port."""
    begin(settings, KEYHOLDER)
    home = Home(settings.home)
    lay_out_apart(home, home.keyholder)
    disk = OwnDisk(home.keyholder)
    credentials, certificate = own_credentials(home, KEYHOLDER)
    keys = {name: PublicKey.parse(text) for name, text in disk.public_keys().items()}
    own = Introduction(KEYHOLDER, keys, certificate)
    others = meet(settings, home, own, (PORTAL, *workers_named(settings)))
    root = make_trust_root(settings, home, own, others)
    _log.info("trust root: %s", root.fingerprint())
    roles = {role: root.roles[role] for role in others}
    recipients = {name: others[name].recipient for name in workers_named(settings)}
    pinned = Pinned(recipients, roles)
    with _desk(settings, disk, pinned, root.anchors) as desk:
        peers = {role: one.certificate for role, one in others.items()}
        _serve(TlsServer(address, credentials, peers, desk))


@contextmanager
def _desk(settings: Settings, disk: OwnDisk, pinned: Pinned, anchors: Anchors) -> Iterator[Desk]:
    """Open the database and the key manager, and give the desk over them."""
    database = Database(settings.database_url)
    try:
        stamp = Stamp(SERVICE_NAME, settings.env, __version__)
        keys = key_manager_of(settings, disk)
        clock = SystemClock()
        holders = settings.continuity_holders
        kept = ContinuityFolder(disk.continuity, Holders.read(holders)) if holders else None
        grounds = grounds_of(database, disk, pinned, keys, clock, stamp, anchors, kept)
        lanes = Lanes(grounds)
        _sweep(lanes.close_overdue)
        _sweep(Custody(grounds).close_overdue)
        yield keyholder_desk(verbs_of(grounds, lanes, settings.backup_horizon_days))
    finally:
        database.close()


def _serve(server: UnixServer | TlsServer) -> None:
    def stop(*_: object) -> None:
        # Not in the signal's own frame: the loop that is to end would wait for itself.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()


def verbs_of(
    grounds: Grounds, lanes: Lanes, backup_horizon_days: int | None = None
) -> dict[str, Verb]:
    """Return what can be asked of the keyholder: names, and nothing that opens without a log."""
    documents, releases, custody = Documents(grounds), Releases(grounds), Custody(grounds)
    endings = Endings(grounds, backup_horizon_days)
    return {
        "ping": lambda: "here",
        "open-lane": lanes.open_lane,
        "seal-lasting-headers": lanes.seal_lasting_headers,
        "sequence": grounds.sequence,
        "open-for-verification": lanes.open_for_verification,
        "close-lane": lanes.close_lane,
        "documents-recipient": documents.documents_recipient,
        "open-document": documents.open_document,
        "hold-ceremony": Ceremonies(grounds).hold_ceremony,
        "open-confirmation": releases.open_confirmation,
        "check-release-share": releases.check_release_share,
        "execute-release": releases.execute_release,
        "open-session": custody.open_session,
        "settle-session": custody.settle_session,
        "carry-out-session": custody.carry_out_session,
        "shred-deposit": endings.shred_deposit,
        "destroy-agreement": endings.destroy_agreement,
        "restore-headers": Restoring(grounds).restore_headers,
    }


def _load_before_dropping(settings: Settings) -> None:
    """Touch what Python would otherwise load lazily, while its files can still be read."""
    for codec in ("ascii", "idna", "latin-1", "utf-16-be", "utf-8"):
        codecs.lookup(codec)
    # Every act of the keyholder uses one of these; together they load all that acts need.
    recipient = str(age.new_x25519_identity().recipient)
    deal(AgreementId("agr_warm"), 1, 2, [recipient] * 3, bytes(32))
    canonical_json({"warm": [1, "up"]})
    load_key_manager(settings)
    database = Database(settings.database_url)
    with database.reading() as session:
        session.connection().exec_driver_sql("SELECT 1")
    database.close()


def _publish(path: Path, disk: OwnDisk) -> None:
    """Write the public keys where the service reads them; it pins them at the first start."""
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(disk.public_keys(), indent=2) + "\n", encoding="utf-8")
    staged.chmod(0o644)
    staged.replace(path)


def _watch_parent(server: UnixServer, parent: int) -> None:
    def watch() -> None:
        # A service that was killed must not leave a keyholder behind that answers its successor.
        while os.getppid() == parent:
            threading.Event().wait(0.5)
        server.shutdown()

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def _sweep(close_overdue: Callable[[], None]) -> None:
    def sweep() -> None:
        while True:
            try:
                close_overdue()
            except Exception:
                # A worker loop: a database that is away for a while must not end the sweeping.
                _log.exception("what is overdue could not be closed; trying again later")
            threading.Event().wait(SWEEP_SECONDS)

    threading.Thread(target=sweep, name="sweep", daemon=True).start()
