"""A service that runs one kind of job, as a process that a test may kill.

Usage: job_process.py <folder>. Each thing that happens is a line of <folder>/trace; the second
step waits until <folder>/go exists.
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
    engine = JobEngine(f"sqlite:///{FOLDER / 'jobs.db'}", "service", 1, "jobs-1")
    engine.define("verify", verify)
    try:
        engine.start()
    except EscrowError as error:
        sys.exit(f"{error.code}: {error.reason}")
    tell("started")
    sys.stdin.read()
    engine.stop()


main()
