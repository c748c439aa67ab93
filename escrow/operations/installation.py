"""Setting an installation up: folders, users, keys, tables, the trust root; safe to run again."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escrow.endings.redaction import check_committed_values
from escrow.engine.jobs import JobEngine
from escrow.evidence.anchors import read_anchors
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import SystemClock
from escrow.ground.database import Database
from escrow.ground.errors import Refused, Tampered
from escrow.ground.paths import write_whole
from escrow.ground.settings import Settings
from escrow.ground.signatures import PublicKey
from escrow.ledger.appending import Scribe
from escrow.ledger.comparing import Comparer, compare_states
from escrow.ledger.errors import LedgerBroken
from escrow.ledger.fsck import check_ledger
from escrow.operations.assembly import JOBS_VERSION
from escrow.operations.calls.unix import UnixLine
from escrow.operations.database_roles import give_rights, role_passwords
from escrow.operations.home import SERVICE_NAME, Home, ProcessUser, lay_out, own_user
from escrow.operations.keyholder.client import wait_until_up
from escrow.operations.keyholder.disk import Pinned
from escrow.operations.keyholder.wire import PORTAL, WORKER
from escrow.operations.own_keys import portal_key, worker_keys
from escrow.operations.tables import upgrade
from escrow.parties import bootstrap
from escrow.parties.errors import AlreadySetUp

# A keyholder that was told to stop finishes the call at hand, one write transaction.
STOP_SECONDS = 20.0


class AlreadyRunning(Refused):
    """Another process runs the service on the same folder."""

    code = "installation.already-running"


class OtherKeyholder(Tampered):
    """The keyholder's public keys are not those that the trust root has."""

    code = "installation.other-keyholder"


class NotYetMet(Refused):
    """The administrator asks for a token where no portal has run yet."""

    code = "installation.not-yet-met"


@dataclass(frozen=True)
class Initialised:
    """What set-up tells the administrator."""

    home: Path
    fingerprint: str
    one_time_token: str | None


def initialise(settings: Settings, *, new_token: bool) -> Initialised:
    """Set the installation up and return the one-time token, when there is one to give.

    Raises:
        KeyManagerNotNamed: production, and nobody named where keys lie.
        NotYetMet: the portal runs apart, and was never started.
    """
    if settings.keyholder_address is not None:
        return _initialise_apart(settings, new_token=new_token)
    home = prepare(settings)
    if home.trust_root.exists():
        # Without a keyholder: the service may be running, and its own is the only one.
        root = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
        token = _one_time_token(settings, home, again=True) if new_token else None
        return Initialised(home.root, root.fingerprint(), token)
    with running_keyholder(settings, home) as root:
        token = _one_time_token(settings, home, again=new_token)
    return Initialised(home.root, root.fingerprint(), token)


def _initialise_apart(settings: Settings, *, new_token: bool) -> Initialised:
    """Give the one-time token where the portal runs apart; it has made its own keys by then."""
    home = Home(settings.home)
    if not home.trust_root.exists() or not (home.service / "portal.pem").exists():
        raise NotYetMet(
            f"There is no portal at {home.root}, or it has not met the keyholder yet.",
            "Start portal, worker and keyholder first, then run this where the portal runs.",
        )
    root = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
    try:
        token = _one_time_token(settings, home, again=new_token)
    except AlreadySetUp:
        token = None
    return Initialised(home.root, root.fingerprint(), token)


def _one_time_token(settings: Settings, home: Home, *, again: bool) -> str:
    database = Database(settings.database_url)
    try:
        scribe, now = Scribe(PORTAL, portal_key(home), SystemClock()), SystemClock().now()
        with database.writing() as session:
            return bootstrap.begin(session, scribe, settings.env, now, again=again)
    finally:
        database.close()


def migrate(settings: Settings) -> None:
    """Bring the database to this version, the engine's own tables too; before the processes start.

    The processes themselves have no right to change tables. On PostgreSQL each has a role with
    exactly its rights, made here.

    Raises:
        NoRolePassword: a folder of passwords is named, and one is not in it.
    """
    database = Database(settings.database_url)
    engine = JobEngine(settings.database_url, "migration", settings.workers, JOBS_VERSION)
    try:
        upgrade(database)
        engine.prepare()
        give_rights(database, role_passwords(settings.database_roles))
    finally:
        engine.stop()
        database.close()


def prepare(settings: Settings) -> Home:
    """Make folders, users, the service's keys and the tables, whatever of it is missing."""
    settings.check_safe()
    home = Home(settings.home)
    user = own_user(settings.keyholder_user)
    lay_out(home, user)
    portal, worker = portal_key(home), worker_keys(home)
    if not home.pinned.exists():
        roles = {PORTAL: portal.public, WORKER: worker.report.public}
        pinned = Pinned({WORKER: str(worker.identity.recipient)}, roles)
        write_whole(home.pinned, pinned.to_json(), 0o644)
    _share_database(settings, user)
    database = Database(settings.database_url)
    try:
        upgrade(database)
    finally:
        database.close()
    return home


@contextmanager
def running_keyholder(settings: Settings, home: Home) -> Iterator[TrustRoot]:
    """Run the keyholder beside us and give the trust root that it was checked against.

    Raises:
        AlreadyRunning: another service runs on this folder; nothing of it is touched.
    """
    with _alone(home), _keyholder_process(home):
        yield pin_keyholder(settings, home)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Be the one service on this folder; a second would take the first one's socket away.

    The lock ends with the process, however that ends; the keyholder does not inherit it.
    """
    with home.lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"A service runs on {home.root} already.",
                "Use that one, or stop it first; give a second installation a home of its own.",
            ) from None
        yield


@contextmanager
def _keyholder_process(home: Home) -> Iterator[None]:
    home.socket.unlink(missing_ok=True)
    command = [sys.executable, "-m", "escrow.operations.cli", "keyholder"]
    # The process reads the same settings from the same environment; nothing secret is in it.
    process = subprocess.Popen(command)
    try:
        wait_until_up(UnixLine(home.socket), process.poll)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pin_keyholder(settings: Settings, home: Home) -> TrustRoot:
    """Return the trust root, made at the first start and compared at every later one.

    Raises:
        OtherKeyholder: another keyholder answers than the one that was pinned.
    """
    public = json.loads(home.keyholder_public.read_text(encoding="utf-8"))
    seen = TrustRoot(
        service=SERVICE_NAME,
        environment=settings.env,
        log=PublicKey.parse(public["log"]),
        leaf=PublicKey.parse(public["leaf"]),
        roles={
            PORTAL: portal_key(home).public,
            WORKER: worker_keys(home).report.public,
            "keyholder": PublicKey.parse(public["keyholder"]),
        },
        anchors=read_anchors(settings.anchors),
    )
    if not home.trust_root.exists():
        write_whole(home.trust_root, seen.to_json(), 0o644)
        return seen
    pinned = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
    if pinned != seen:
        raise OtherKeyholder(
            "The keys or the environment are not those of this installation's trust root.",
            "Start with the settings that it was set up with; if they are the same, somebody "
            "exchanged a key: do not go on, compare fingerprints with a party.",
        )
    return pinned


def verify_ledger(settings: Settings) -> dict[str, object]:
    """Check the whole ledger and return its figures.

    Raises:
        LedgerBroken: it does not hold; the concrete error names the row.
        ValueRewritten: a value is not the one that the ledger commits to, nor redacted.
    """
    return check_states(settings, (), lambda _: None)[0]


def check_states(
    settings: Settings, comparers: Sequence[Comparer], tell: Callable[[str], None]
) -> tuple[dict[str, object], list[LedgerBroken]]:
    """Check the whole ledger, then what the comparers compare; in one look at the database.

    Args:
        settings: of this machine.
        comparers: of the rooms whose states are asked.
        tell: is told what is looked at next.

    Returns:
        the figures, and every state that does not fit its events.

    Raises:
        LedgerBroken: the ledger itself does not hold.
        ValueRewritten: a value is not the one that the ledger commits to, nor redacted.
    """
    home = Home(settings.home)
    root = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            tell("entries, leaves and checkpoints")
            summary = check_ledger(session, root.ledger_keys)
            found = compare_states(session, comparers, tell)
            values = check_committed_values(session)
    finally:
        database.close()
    figures: dict[str, object] = {
        "entries": summary.entries,
        "leaves": summary.leaves,
        "root": summary.root_hex,
        "values_open": values.open,
        "values_redacted": values.redacted,
        "fingerprint": root.fingerprint(),
    }
    return figures, found


def _share_database(settings: Settings, user: ProcessUser | None) -> None:
    """Let the keyholder's user write the SQLite file; its companions take over mode and group."""
    if not settings.database_url.startswith("sqlite"):
        return
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Through a descriptor: the keyholder's user can put a link there, which must not be followed.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o660)
    try:
        os.fchmod(descriptor, 0o660)
        if user is not None:
            os.fchown(descriptor, -1, user.gid)
    finally:
        os.close(descriptor)
