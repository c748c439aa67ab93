"""The graph of objects behind one process: settings are read once, everything is made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builders.orders import Limits
from escrow import __version__
from escrow.deposits.admission import DepositGate
from escrow.deposits.git_confinement import GitConfinement, GitLimits
from escrow.deposits.intake import Intake
from escrow.deposits.push_intake import GitIntake
from escrow.deposits.pushing import PushReception
from escrow.deposits.uploads import UploadDesk
from escrow.engine.jobs import JobEngine
from escrow.evidence.statements import Stamp
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import Clock, SystemClock
from escrow.ground.database import Database
from escrow.ground.settings import Settings
from escrow.ledger.appending import Scribe
from escrow.notices.sending import Sender
from escrow.operations.calls.unix import UnixLine
from escrow.operations.home import Home, own_user
from escrow.operations.images import sandbox_of
from escrow.operations.installation import PORTAL, WORKER, service_keys
from escrow.operations.keyholder.client import RemoteKeyholder
from escrow.operations.mailing import sender_of
from escrow.portal.rooms import Rooms
from escrow.register.inforce import agreements_in_force
from escrow.register.reading import parties_covering
from escrow.releases.driving import Driver
from escrow.releases.rereading import Rereader
from escrow.vault.blobs import FileBlobStore
from escrow.verification.examine import Examiner, Tools
from escrow.verification.sandbox_runner import SandboxRunner

# Changed only when the order of a job's steps changes.
JOBS_VERSION = "jobs-1"


@dataclass(frozen=True)
class Scratch:
    """Folders in memory; whoever may pass through is told by their modes."""

    root: Path

    @property
    def pushes(self) -> Path:
        """Repositories of pushes that are under way."""
        return self.root / "pushes"

    @property
    def uploads(self) -> Path:
        """What a sealing must remember of an upload."""
        return self.root / "uploads"

    @property
    def logs(self) -> Path:
        """Live logs."""
        return self.root / "logs"

    def lay_out(self) -> None:
        """Make the folders; git's own user passes through to its repositories."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for folder, mode in ((self.pushes, 0o711), (self.uploads, 0o700), (self.logs, 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)


@dataclass(frozen=True)
class Service:
    """Portal and worker of one process; no sender where no mail server is set."""

    settings: Settings
    database: Database
    engine: JobEngine
    rooms: Rooms
    scratch: Scratch
    runner: SandboxRunner
    sender: Sender | None


def assemble(settings: Settings, root: TrustRoot) -> Service:
    """Put portal and worker together; nothing runs yet."""
    home, clock = Home(settings.home), SystemClock()
    scratch = Scratch(settings.scratch)
    scratch.lay_out()
    database = Database(settings.database_url)
    engine = JobEngine(settings.database_url, "service", settings.workers, JOBS_VERSION)
    keyholder = RemoteKeyholder(UnixLine(home.socket), root.roles["keyholder"])
    blobs = FileBlobStore(settings.blobs)
    stamp = Stamp(root.service, settings.env, __version__)
    rooms = _rooms(settings, root, database, engine, keyholder, blobs, stamp, scratch, clock)
    runner = SandboxRunner(sandbox_of(settings), build_limits(settings))
    keys = service_keys(home)
    scribe = Scribe(WORKER, keys.worker, clock)
    tools = Tools(
        database=database,
        engine=engine,
        clock=clock,
        scribe=scribe,
        signer=keys.worker,
        keyholder=keyholder,
        worker=keys.worker_identity,
        blobs=blobs,
        runner=runner,
        scratch=scratch.logs,
        stamp=stamp,
    )
    Examiner(tools).define()
    Rereader(database, blobs, scribe, clock).define(engine)
    sender = sender_of(settings, root, database, scribe, clock)
    return Service(settings, database, engine, rooms, scratch, runner, sender)


def _rooms(
    settings: Settings,
    root: TrustRoot,
    database: Database,
    engine: JobEngine,
    keyholder: RemoteKeyholder,
    blobs: FileBlobStore,
    stamp: Stamp,
    scratch: Scratch,
    clock: Clock,
) -> Rooms:
    portal_key = service_keys(Home(settings.home)).portal
    scribe = Scribe(PORTAL, portal_key, clock)
    intake = Intake(
        database=database,
        clock=clock,
        scribe=scribe,
        jobs=engine,
        keyholder=keyholder,
        keyholder_key=root.roles["keyholder"],
        agreements_in_force=agreements_in_force,
        receipt_signer=portal_key,
        stamp=stamp,
    )
    return Rooms(
        environment=settings.env,
        database=database,
        clock=clock,
        scribe=scribe,
        keyholder=keyholder,
        blobs=blobs,
        intake=intake,
        desk=UploadDesk(database, intake, blobs, scratch.uploads, clock),
        gate=DepositGate(database, settings.env, clock, parties_covering),
        reception=_reception(settings, intake, blobs, scratch),
        driver=Driver(database, keyholder, scribe, clock, engine),
        trust_root=root,
        log_scratch=scratch.logs,
        public_url=settings.public_url.rstrip("/"),
    )


def _reception(
    settings: Settings, intake: Intake, blobs: FileBlobStore, scratch: Scratch
) -> PushReception:
    user = own_user(settings.git_user)
    confinement = GitConfinement.detect(
        user.name if user else None,
        scratch.pushes,
        GitLimits(pack_bytes=settings.max_push_bytes),
    )
    url = settings.public_url.rstrip("/")
    return PushReception(
        GitIntake(intake, blobs),
        scratch.pushes,
        confinement,
        lambda address, number: f"{url}/api/v1/products/{address}/deposits/{number}",
    )


def build_limits(settings: Settings) -> Limits:
    """Return the most that one deposit's trial build gets on this installation."""
    return Limits(
        cpus=settings.build_cpus,
        memory_bytes=settings.build_memory_bytes,
        disk_bytes=settings.build_disk_bytes,
        seconds=settings.build_seconds,
    )
