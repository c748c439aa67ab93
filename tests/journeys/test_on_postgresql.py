"""Three processes on PostgreSQL and a bucket, each with what its own part takes and no more."""

from __future__ import annotations

import hashlib
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
from tests.s3 import S3Server

PROJECT: dict[str, str | bytes] = {
    "Makefile": "all: program\nprogram: main.c\n\tcc -o program main.c\n",
    "main.c": "int main(void) { return 0; }\n",
    "README": "Run make.\n",
}
PROCESSES = ("portal", "worker", "keyholder")


class PostgresqlStage(ApartStage):
    """A service of three processes on a database server, each with its own user."""

    title = "portal, worker and keyholder on PostgreSQL, payloads in a bucket"

    def __init__(self, server: PostgresqlServer, s3: S3Server, folder: Path) -> None:
        super().__init__(folder)
        self.server = server
        self.s3 = s3
        self.bucket = s3.bucket(folder)
        self.second = folder / "second"
        self.roles = folder / "roles"
        self.roles.mkdir()
        for process in PROCESSES:
            (self.roles / f"database-{process}").write_text(f"of the {process}\n")

    def environment_of(self, name: str) -> Mapping[str, str]:
        process = name.partition("-")[0]
        url = self.server.url_of(self.folder, f"escrow_{process}", f"of the {process}")
        own = {
            "ESCROW_DATABASE_URL": url,
            "ESCROW_BLOB_STORE": "s3",
            "ESCROW_S3_ENDPOINT": self.bucket.endpoint,
            "ESCROW_S3_BUCKET": self.bucket.bucket,
            "ESCROW_S3_CREDENTIALS_FILE": str(self.bucket.credentials_file),
            # Staging alone: no process sees another's files.
            "ESCROW_BLOBS": str(self.folder / f"staging-of-{name}"),
        }
        if process == "worker":
            own |= {"ESCROW_REPLICA": "files", "ESCROW_REPLICA_FOLDER": str(self.second)}
        return {**super().environment_of(name), **own}

    def stored(self) -> dict[str, bytes]:
        """Return what lies in the bucket, by the payloads' names."""
        name = self.bucket.bucket
        listed = self.s3.client.list_objects_v2(Bucket=name, Prefix="payloads/")["Contents"]
        objects = [self.s3.client.get_object(Bucket=name, Key=one["Key"]) for one in listed]
        return {
            one["Key"].removeprefix("payloads/"): got["Body"].read()
            for one, got in zip(listed, objects, strict=True)
        }

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
def apart(bare_postgresql: PostgresqlServer, s3: S3Server) -> Iterator[Served]:
    with stage(partial(PostgresqlStage, bare_postgresql, s3)) as here:
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
    fetch = ("release", "fetch", request, "--to", str(apart.here.folder / "package"))
    apart.here.escrow(apart.person("beneficiary"), *fetch)
    _check_second_copies(apart.here)
    log = (apart.here.folder / "service.log").read_text()
    assert "permission denied" not in log


def _check_second_copies(here: PostgresqlStage) -> None:
    """Everything in the bucket is in the worker's second copy, and a scrub reads both."""
    worker = here.environment_of("worker")
    done = here.ask(worker, "admin", "scrub")
    assert (done["missing"], done["corrupted"], done["unrepairable"]) == (0, 0, 0)
    copies = {one.name: one.read_bytes() for one in (here.second / "payloads").iterdir()}
    assert copies == here.stored()
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in copies.items())
    assert list((here.second / "header-records").rglob("*.json"))
    assert here.ask(worker, "admin", "storage")["lacking_replica"] == 0
