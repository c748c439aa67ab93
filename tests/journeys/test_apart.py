"""The service as three processes: each has only what is its own, and together they do the job."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.play import set_up_parties
from demo.stage import stage
from tests.journeys.apart import ApartStage
from tests.journeys.conftest import Served

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
