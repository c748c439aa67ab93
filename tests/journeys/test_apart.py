"""The service as three processes: each has only what is its own, and together they do the job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from demo.cast import PRODUCT
from demo.play import set_up_parties
from demo.stage import stage
from tests.journeys.apart import ApartStage
from tests.journeys.conftest import Served, wait_for

PROJECT: dict[str, str | bytes] = {
    "Makefile": "all: program\nprogram: main.c\n\tcc -o program main.c\n",
    "main.c": "int main(void) { return 0; }\n",
    "README": "Run make.\n",
}

# Files that hold a private key, and whose they are.
PRIVATE = {
    "portal": {"portal.pem", "portal.key"},
    "worker": {"worker.pem", "worker.age", "worker.key"},
    "keyholder": {"keyholder.pem", "keyholder.key", "ledger-log.pem", "ledger-leaf.pem"},
}


@pytest.fixture(scope="module")
def apart() -> Iterator[Served]:
    with stage(ApartStage) as here:
        told = here.set_up()
        yield Served(here, set_up_parties(here, str(told["one_time_token"])))


def test_a_deposit_goes_through_all_three(apart: Served) -> None:
    said = apart.push(apart.clone(PROJECT))
    assert "logged as deposit 1" in said
    assert apart.verdict_of(1)["verdict"] == "pass"
    assert "The ledger holds" in apart.here.operate("ledger", "verify")


def test_each_process_has_its_own_private_keys_and_no_others(apart: Served) -> None:
    homes = apart.here.folder / "homes"
    for role, names in PRIVATE.items():
        found = {
            path.name
            for path in (homes / role).rglob("*")
            if path.suffix in (".pem", ".age", ".key")
        }
        assert names <= found
        others = set().union(*(PRIVATE[one] for one in PRIVATE if one != role))
        assert not found & others


def test_log_lines_are_read_at_the_portal_while_the_worker_builds(apart: Served) -> None:
    slow = "all:\n" + "".join(f"\t@echo line {n}; sleep 1\n" for n in range(6))
    apart.push(apart.clone(PROJECT | {"Makefile": slow + "\tcc -o program main.c\n"}))
    here = cast("ApartStage", apart.here)
    scratch = here.scratch_of("portal") / "logs"
    live = wait_for(
        lambda: [path.read_bytes() for path in scratch.rglob("build.log")],
        lambda found: any(b"line 1" in one for one in found),
    )
    assert not any(b"line 5" in one for one in live)
    followed = apart.here.escrow(apart.person("vendor"), "logs", "-f", f"{PRODUCT}#2")
    assert [f"line {n}" in followed for n in range(6)] == [True] * 6
    assert followed.count("line 3") == 1
    wait_for(lambda: list(scratch.rglob("build.log")), lambda found: not found)


def test_each_process_tells_that_it_lives_and_a_dead_one_that_it_does_not(apart: Served) -> None:
    here = cast("ApartStage", apart.here)
    for name in ("portal", "worker", "keyholder"):
        here.escrow(here.environment_of(name), "alive", name)
    elsewhere = {"ESCROW_KEYHOLDER_ADDRESS": "127.0.0.1:1", "ESCROW_LISTEN_PORT": "1"}
    for name in ("portal", "worker"):
        here.escrow({**here.environment_of(name), **elsewhere}, "alive", name, expect=2)
