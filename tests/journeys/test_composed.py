"""docker-compose.yml, brought up on images built here: who has what, and the whole job through it.

Whoever may reach or read what stands in one table; the containers are asked, not the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from demo.composed import ComposedStage
from demo.play import play
from demo.stage import ROOT, run, stage

# The play takes some three minutes, and on a machine that others use several times as long.
pytestmark = pytest.mark.timeout(1800)

PROCESSES = ("portal", "worker", "keyholder")

USERS = {"portal": "10101:10101", "worker": "10102:10102", "keyholder": "10103:10103"}

NETWORKS = {
    "portal": {"edge", "calls", "database"},
    "worker": {"mail", "calls", "database"},
    "keyholder": {"calls", "database"},
    "database": {"database"},
}

# What each process writes; all else that it mounts is read-only.
WRITES = {
    "portal": {"portal-home", "portal-exchange", "blobs"},
    "worker": {"worker-home", "worker-exchange", "blobs", "/var/run/docker.sock"},
    "keyholder": {"keyholder-home", "keyholder-exchange"},
}

PRIVATE = {
    "portal": {"service/portal.pem", "tls/portal.key"},
    "worker": {"service/worker.pem", "service/worker.age", "tls/worker.key"},
    "keyholder": {"keyholder/keyholder.pem", "keyholder/ledger-leaf.pem", "tls/keyholder.key"},
}

# Stands in the manual that the vendor of the play deposits, uncompressed.
DEPOSITED = "How to install, configure and operate the product"

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
    print("open")
except OSError:
    print("closed")
"""


class Containers:
    """The containers of a play, and what the engine says of them."""

    def __init__(self, here: ComposedStage) -> None:
        self.here = here

    def told(self, service: str) -> dict[str, Any]:
        name = self.here.compose("ps", "--all", "--quiet", service).strip()
        document: list[dict[str, Any]] = json.loads(run("docker", "inspect", name, cwd=ROOT))
        return document[0]

    def inside(self, service: str, *command: str) -> str:
        return self.here.compose("exec", "--no-TTY", service, *command).strip()

    def reaches(self, service: str, host: str, port: int) -> bool:
        return self.inside(service, "python3", "-c", CONNECT, host, str(port)) == "open"

    def address(self, service: str, network: str) -> str:
        networks = self.told(service)["NetworkSettings"]["Networks"]
        return str(networks[f"{self.here.project}_{network}"]["IPAddress"])


@pytest.fixture(scope="module")
def played() -> Iterator[Containers]:
    """Play the whole main job through the containers; they stand until the tests are over."""
    run("scripts/ensure-compose.sh", cwd=ROOT)
    run("scripts/make-service-image.sh", cwd=ROOT)
    run("scripts/make-postgres-image.sh", cwd=ROOT)
    with stage(ComposedStage) as here:
        play(here)
        yield Containers(cast("ComposedStage", here))


def test_the_whole_job_is_played_and_the_ledger_holds(played: Containers) -> None:
    assert "The ledger holds" in played.here.operate("ledger", "verify")


@pytest.mark.parametrize("service", PROCESSES)
def test_each_process_is_a_user_without_rights(played: Containers, service: str) -> None:
    told = played.told(service)
    assert told["Config"]["User"] == USERS[service]
    confined = told["HostConfig"]
    assert confined["ReadonlyRootfs"]
    assert confined["CapDrop"] == ["ALL"]
    assert not confined["CapAdd"]
    assert not confined["Privileged"]
    assert confined["SecurityOpt"] == ["no-new-privileges:true"]
    status = played.inside(service, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize("service", PROCESSES)
def test_each_process_writes_its_own_places_alone(played: Containers, service: str) -> None:
    mounts = played.told(service)["Mounts"]
    prefix = f"{played.here.project}_"
    written = {
        (mount.get("Name") or mount["Source"]).removeprefix(prefix)
        for mount in mounts
        if mount["RW"]
    }
    assert written == WRITES[service]
    secrets = [m["Destination"] for m in mounts if m["Destination"].startswith("/run/secrets")]
    assert secrets == [f"/run/secrets/database-{service}"]


def test_only_the_worker_has_the_docker_api(played: Containers) -> None:
    holders = {
        service
        for service in (*PROCESSES, "database", "setup")
        for mount in played.told(service)["Mounts"]
        if "docker.sock" in mount["Source"]
    }
    assert holders == {"worker"}
    for service in PROCESSES:
        assert "DOCKER_HOST" not in "".join(played.told(service)["Config"]["Env"])


@pytest.mark.parametrize("service", [*PROCESSES, "database"])
def test_each_process_is_on_its_networks_alone(played: Containers, service: str) -> None:
    prefix = f"{played.here.project}_"
    names = played.told(service)["NetworkSettings"]["Networks"]
    assert {name.removeprefix(prefix) for name in names} == NETWORKS[service]
    published = played.told(service)["HostConfig"]["PortBindings"] or {}
    assert set(published) == ({"8420/tcp"} if service == "portal" else set())


@pytest.mark.parametrize("service", PROCESSES)
def test_each_process_holds_its_own_private_keys_alone(played: Containers, service: str) -> None:
    command = ("find", "/var/lib/escrow", "-type", "f", "(", "-name", "*.pem", "-o")
    command += ("-name", "*.age", "-o", "-name", "*.key", ")", "-readable", "-printf", "%P\\n")
    done = played.inside(service, "sh", "-c", '"$@" 2>/dev/null || true', "find", *command)
    found = {line.partition("/")[2] for line in done.splitlines()}
    assert PRIVATE[service] <= found
    others = set().union(*(PRIVATE[one] for one in PROCESSES if one != service))
    assert not found & others


def test_no_password_or_key_stands_in_an_environment(played: Containers) -> None:
    words = [path.read_text() for path in played.here.secrets.iterdir()]
    for service in (*PROCESSES, "setup", "database"):
        environment = "\n".join(played.told(service)["Config"]["Env"])
        assert not any(word in environment for word in words)


def test_the_keyholder_listens_where_portal_and_worker_are_and_nowhere_else(
    played: Containers,
) -> None:
    on_calls = played.address("keyholder", "calls")
    on_database = played.address("keyholder", "database")
    for service in ("portal", "worker"):
        assert played.reaches(service, on_calls, 8421)
        assert not played.reaches(service, on_database, 8421)


def test_the_keyholder_has_no_way_out(played: Containers) -> None:
    # Measured against a container that listens: an internal network still reaches the host itself.
    outside = played.address("portal", "edge")
    assert played.reaches("portal", outside, 8420)
    assert not played.reaches("keyholder", outside, 8420)


def test_the_worker_has_no_port(played: Containers) -> None:
    listening = played.inside("worker", "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6")
    # State 0A is LISTEN (proc_pid_net(5)); the engine's own resolver listens on loopback.
    ports = [line.split()[1] for line in listening.splitlines() if " 0A " in line]
    assert [one for one in ports if not one.startswith("0B00007F:")] == []


@pytest.mark.parametrize("service", PROCESSES)
def test_no_plaintext_lies_outside_of_memory(played: Containers, service: str) -> None:
    mounts = played.inside(service, "cat", "/proc/mounts")
    if service != "keyholder":
        assert " /scratch tmpfs " in mounts
    found = played.inside(service, "sh", "-c", f"grep -rls '{DEPOSITED}' /var/lib/escrow || true")
    assert found == ""
