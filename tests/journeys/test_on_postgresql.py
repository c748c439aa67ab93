"""Three processes on PostgreSQL, each with a role that may do its own part and no other's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from demo.cast import key
from demo.play import set_up_parties
from demo.release import confirm, file_request
from demo.stage import stage
from tests.journeys.apart import ApartStage
from tests.journeys.conftest import Served, wait_for
from tests.postgresql import PostgresqlServer

PROJECT: dict[str, str | bytes] = {
    "Makefile": "all: program\nprogram: main.c\n\tcc -o program main.c\n",
    "main.c": "int main(void) { return 0; }\n",
    "README": "Run make.\n",
}
PROCESSES = ("portal", "worker", "keyholder")


class PostgresqlStage(ApartStage):
    """A service of three processes on a database server, each with its own user."""

    title = "portal, worker and keyholder on PostgreSQL"

    def __init__(self, server: PostgresqlServer, folder: Path) -> None:
        super().__init__(folder)
        self.server = server
        self.roles = folder / "roles"
        self.roles.mkdir()
        for process in PROCESSES:
            (self.roles / f"database-{process}").write_text(f"of the {process}\n")

    def environment_of(self, name: str) -> Mapping[str, str]:
        process = name.partition("-")[0]
        url = self.server.url_of(self.folder, f"escrow_{process}", f"of the {process}")
        return {**super().environment_of(name), "ESCROW_DATABASE_URL": url}

    def set_up(self) -> dict[str, object]:
        owner = {
            **self.environment_of("portal"),
            "ESCROW_DATABASE_URL": self.server.url(self.folder),
            "ESCROW_DATABASE_ROLES": str(self.roles),
        }
        for _ in range(2):
            self.escrow(owner, "admin", "migrate")
        for name in ("keyholder", "worker", "worker-2", "portal"):
            self.begin(name)
        self.wait_until_up()
        return self.ask(self.environment_of("portal"), "admin", "init")


@pytest.fixture(scope="module")
def apart(bare_postgresql: PostgresqlServer) -> Iterator[Served]:
    with stage(partial(PostgresqlStage, bare_postgresql)) as here:
        told = here.set_up()
        yield Served(here, set_up_parties(here, str(told["one_time_token"])))


def test_a_deposit_is_verified_and_released(apart: Served) -> None:
    assert "logged as deposit 1" in apart.push(apart.clone(PROJECT))
    assert apart.verdict_of(1)["verdict"] == "pass"
    request = file_request(apart.here, apart.cast)
    own = ("--key", key(apart.here, "vendor"))
    apart.here.escrow(apart.person("vendor"), "request", "consent", request, *own)
    for agent in ("agent_1", "agent_3"):
        confirm(apart.here, apart.cast, request, agent)
    wait_for(
        lambda: apart.ask("beneficiary", "request", "show", request)["state"],
        lambda state: state == "released",
    )
    assert "The ledger holds" in apart.here.operate("ledger", "verify")
    log = (apart.here.folder / "service.log").read_text()
    assert "permission denied" not in log
