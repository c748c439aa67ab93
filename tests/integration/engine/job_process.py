"""A service that runs one kind of job, as a process that a test may kill.

Usage: job_process.py <folder> [<database> <seconds>]. The database is a file in the folder unless
one is named, with the time to live of silent services. Each thing that happens is a line of
<folder>/trace; the second step waits until <folder>/go exists.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from escrow.engine.contexts import JobContext
from escrow.engine.jobs import JobEngine
from escrow.ground.errors import EscrowError

FOLDER = Path(sys.argv[1])
URL = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{FOLDER / 'jobs.db'}"
TTL_SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 60.0


def tell(line: str) -> None:
    with (FOLDER / "trace").open("a") as trace:
        trace.write(line + "\n")
        trace.flush()
        os.fsync(trace.fileno())


def build() -> str:
    tell("second begins")
    while not (FOLDER / "go").exists():
        time.sleep(0.02)
    tell("second ends")
    return "built"


def verify(context: JobContext, arguments: dict[str, str]) -> None:
    context.step("first", lambda: tell("first"))
    result = context.step("second", build)
    context.step("third", lambda: tell(f"third after {result} of {arguments['deposit']}"))


def main() -> None:
    engine = JobEngine(
        URL, "service", 1, "jobs-1", beat_seconds=TTL_SECONDS / 5, ttl_seconds=TTL_SECONDS
    )
    engine.define("verify", verify)
    try:
        engine.start()
    except EscrowError as error:
        sys.exit(f"{error.code}: {error.reason}")
    tell("started")
    sys.stdin.read()
    engine.stop()


main()
