"""Two workers on one PostgreSQL; one is killed in the middle of a build, and the other ends it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import pytest

from demo.cast import PRODUCT
from demo.play import set_up_parties
from demo.stage import stage
from escrow.engine.jobs import TTL_SECONDS
from tests.journeys.conftest import Served, wait_for
from tests.journeys.test_on_postgresql import PROJECT, PostgresqlStage
from tests.postgresql import PostgresqlServer
from tests.s3 import S3Server

# Long enough that the kill falls into it on any machine; the second attempt runs it again.
COUNTING = "all:\n" + "".join(f"\t@echo line {n}; sleep 1\n" for n in range(12))
SLOW = PROJECT | {"Makefile": COUNTING + "\tcc -o program main.c\n"}

WORKERS = ("worker", "worker-2")

# A dead worker is noticed after a minute of silence; a machine that others use takes longer still.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def two(bare_postgresql: PostgresqlServer, s3: S3Server) -> Iterator[Served]:
    with stage(partial(PostgresqlStage, bare_postgresql, s3)) as here:
        told = here.set_up()
        yield Served(here, set_up_parties(here, str(told["one_time_token"])))


def _builders(here: PostgresqlStage) -> list[str]:
    """Return the workers in whose scratch a build has said its second line."""
    return [
        worker
        for worker in WORKERS
        for log in here.scratch_of(worker).rglob("build.log")
        if b"line 1" in log.read_bytes()
    ]


def _portal_log(here: PostgresqlStage) -> bytes:
    return b"".join(path.read_bytes() for path in here.scratch_of("portal").rglob("build.log"))


def test_a_killed_workers_build_is_ended_by_the_other(two: Served) -> None:
    here = cast("PostgresqlStage", two.here)
    assert "logged as deposit 1" in two.push(two.clone(SLOW))
    # Until the portal has it too: what was said and not sent dies with the worker.
    wait_for(lambda: _portal_log(here).count(b"line 1\n"), lambda count: count == 1)
    (killed,) = _builders(here)
    here.end(killed)
    for log in here.scratch_of(killed).rglob("build.log"):
        log.unlink()
    (survivor,) = wait_for(lambda: _builders(here), bool, patience_seconds=TTL_SECONDS * 4)
    assert survivor != killed
    # The reader at the portal goes on behind what the first one had said.
    wait_for(lambda: _portal_log(here).count(b"line 1\n"), lambda count: count == 2)
    assert two.verdict_of(1)["verdict"] == "pass"
    shown = two.ask("vendor", "status", PRODUCT)["deposits"]
    assert [one["verdict"] for one in shown] == ["pass"]  # type: ignore[attr-defined]
    assert "The ledger holds" in here.operate("ledger", "verify")
