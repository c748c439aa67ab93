"""A worker with a real engine and Docker, in this process or in one of its own, to be killed.

``python -m escrow.testing.worker FOLDER DEPOSIT`` works until it is ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from builders.orders import Limits
from builders.sandbox import Sandbox
from escrow.engine.jobs import JobEngine
from escrow.ground.identifiers import DepositId
from escrow.testing.databases import trial_databases
from escrow.testing.verification import PRODUCT, VerificationWorld
from escrow.verification.examine import JOB
from escrow.verification.sandbox_runner import SandboxRunner

# Small enough for any machine that runs the tests, and for its memory.
ROOM = Limits(cpus=2, memory_bytes=1 << 30, disk_bytes=256 << 20, seconds=120)


def engine_of(folder: Path) -> JobEngine:
    """Return the engine over a world's database; not started."""
    return JobEngine(trial_databases().url(folder), "worker", 1, "jobs-1")


def world_of(folder: Path, engine: JobEngine | None = None) -> VerificationWorld:
    """Return a world whose builds run in Docker."""
    return VerificationWorld(folder, engine=engine, runner=SandboxRunner(Sandbox(), ROOM))


def enqueue(world: VerificationWorld, engine: JobEngine, deposit_id: DepositId) -> str:
    """Enqueue the job of a deposit, as the intake does; return its key."""
    key = f"{JOB}-{deposit_id}"
    with world.database.writing() as session:
        engine.enqueue(session, JOB, key, {"deposit_id": deposit_id}, partition=PRODUCT)
    return key


def main() -> None:
    """Work on one deposit, then wait to be ended."""
    folder = Path(sys.argv[1])
    engine = engine_of(folder)
    world = world_of(folder, engine)
    world.examiner.define()
    engine.start()
    enqueue(world, engine, DepositId(sys.argv[2]))
    sys.stdin.read()


if __name__ == "__main__":
    main()
