"""The graph of objects behind one process: settings are read once, everything is made here.

Portal and worker are put together apart, each from the keys of its own role, so that neither can
be given what the table of processes in docs/architecture.md denies it; ``escrow serve`` puts both
on one footing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builders.orders import Limits
from escrow import __version__
from escrow.custody.driving import CustodyDriver
from escrow.deposits.admission import DepositGate
from escrow.deposits.git_confinement import GitConfinement, GitLimits
from escrow.deposits.intake import Intake
from escrow.deposits.push_intake import GitIntake
from escrow.deposits.pushing import PushReception
from escrow.deposits.uploads import UploadDesk
from escrow.endings.driving import EndingsDriver
from escrow.engine.jobs import JobEngine
from escrow.evidence.collecting import Collector
from escrow.evidence.statements import Stamp
from escrow.evidence.timing.stamper import Stamper
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import Clock, SystemClock
from escrow.ground.database import Database
from escrow.ground.settings import Settings
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.notices.sending import Sender
from escrow.operations.calls.lines import Line
from escrow.operations.home import own_user
from escrow.operations.images import sandbox_of
from escrow.operations.keyholder.client import RemoteKeyholder
from escrow.operations.keyholder.wire import PORTAL, WORKER
from escrow.operations.mailing import sender_of
from escrow.operations.own_keys import WorkerKeys
from escrow.operations.storing.keeping import StoreKeeper
from escrow.operations.storing.stores import primary_store, replica_place
from escrow.portal.rooms import Rooms
from escrow.register.inforce import agreements_in_force
from escrow.register.reading import parties_covering
from escrow.releases.driving import Driver
from escrow.releases.rereading import Rereader
from escrow.vault.blobs import BlobStore
from escrow.verification.examine import Examiner, Tools
from escrow.verification.missing.watch import Watch
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

    def laid_out(self) -> Scratch:
        """Make the folders and return ourselves; git's own user passes through to its own."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for folder, mode in ((self.pushes, 0o711), (self.uploads, 0o700), (self.logs, 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        return self


@dataclass(frozen=True)
class Footing:
    """What portal and worker both stand on; in one process they share it."""

    settings: Settings
    root: TrustRoot
    database: Database
    engine: JobEngine
    keyholder: RemoteKeyholder
    blobs: BlobStore
    stamp: Stamp
    clock: Clock

    def close(self) -> None:
        """End the jobs that run, and let go of the database."""
        self.engine.stop()
        self.database.close()


@dataclass(frozen=True)
class Portal:
    """What receives, answers and moves requests on: with the receipt key, without Docker."""

    on: Footing
    rooms: Rooms
    scratch: Scratch


@dataclass(frozen=True)
class Worker:
    """What verifies and sends: with the report key and Docker; no sender, where no mail is set."""

    on: Footing
    runner: SandboxRunner
    sender: Sender | None
    collector: Collector
    stamper: Stamper
    keeper: StoreKeeper
    log_scratch: Path
    watch: Watch


def footing(
    settings: Settings, root: TrustRoot, line: Line, name: str, staging: str = "staging"
) -> Footing:
    """Open database, store and engine for a process; nothing runs yet.

    Args:
        settings: of this process.
        root: as it is pinned here.
        line: the way to the keyholder.
        name: of the process, in the engine's logs.
        staging: the process's own staging folder in the blob store.
    """
    clock = SystemClock()
    return Footing(
        settings=settings,
        root=root,
        database=Database(settings.database_url),
        engine=JobEngine(settings.database_url, name, settings.workers, JOBS_VERSION),
        keyholder=RemoteKeyholder(line, root.roles["keyholder"]),
        blobs=primary_store(settings, staging, clock),
        stamp=Stamp(root.service, settings.env, __version__),
        clock=clock,
    )


def assemble_worker(on: Footing, keys: WorkerKeys, scratch: Scratch) -> Worker:
    """Put a worker together and define its jobs; nothing runs yet."""
    runner = SandboxRunner(sandbox_of(on.settings), build_limits(on.settings))
    scribe = Scribe(WORKER, keys.report, on.clock)
    tools = Tools(
        database=on.database,
        engine=on.engine,
        clock=on.clock,
        scribe=scribe,
        signer=keys.report,
        keyholder=on.keyholder,
        worker=keys.identity,
        blobs=on.blobs,
        runner=runner,
        scratch=scratch.logs,
        stamp=on.stamp,
        trust_root=on.root,
    )
    Examiner(tools).define()
    watch = Watch(on.database, scribe, keys.report, on.stamp, on.clock)
    Rereader(on.database, on.blobs, scribe, on.clock).define(on.engine)
    sender = sender_of(on.settings, on.root, on.database, scribe, on.clock)
    anchors = on.root.anchors
    collector = Collector(on.database, on.root.log, anchors, on.clock)
    stamper = Stamper(on.database, anchors.authorities, on.clock)
    # The worker alone opens the second copy.
    replica = replica_place(on.settings, on.clock)
    keeper = StoreKeeper(
        on.database, on.blobs, replica, on.clock, scribe, on.root.ledger_keys, on.keyholder
    )
    return Worker(on, runner, sender, collector, stamper, keeper, scratch.logs, watch)


def assemble_portal(on: Footing, key: SigningKey, scratch: Scratch) -> Portal:
    """Put a portal together; nothing runs yet."""
    settings, scribe = on.settings, Scribe(PORTAL, key, on.clock)
    intake = Intake(
        database=on.database,
        clock=on.clock,
        scribe=scribe,
        jobs=on.engine,
        keyholder=on.keyholder,
        keyholder_key=on.root.roles["keyholder"],
        agreements_in_force=agreements_in_force,
        receipt_signer=key,
        stamp=on.stamp,
    )
    rooms = Rooms(
        environment=settings.env,
        database=on.database,
        clock=on.clock,
        scribe=scribe,
        keyholder=on.keyholder,
        blobs=on.blobs,
        intake=intake,
        desk=UploadDesk(on.database, intake, on.blobs, scratch.uploads, on.clock),
        gate=DepositGate(on.database, settings.env, on.clock, parties_covering),
        reception=_reception(settings, intake, on.blobs, scratch),
        driver=Driver(on.database, on.keyholder, scribe, on.clock, on.engine),
        custody=CustodyDriver(on.database, on.keyholder, scribe, on.clock, on.engine),
        endings=EndingsDriver(on.database, on.keyholder, scribe, on.clock),
        trust_root=on.root,
        log_scratch=scratch.logs,
        public_url=settings.public_url.rstrip("/"),
    )
    return Portal(on, rooms, scratch)


def _reception(
    settings: Settings, intake: Intake, blobs: BlobStore, scratch: Scratch
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
