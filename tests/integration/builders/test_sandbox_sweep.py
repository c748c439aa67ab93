"""What a worker leaves when it is killed is found and removed, and nothing else is."""

import subprocess
import sys
from collections.abc import Iterator

import docker
import pytest

from builders.orders import Limits
from builders.sandbox import Sandbox

ROOM = Limits(cpus=1, memory_bytes=64 << 20, disk_bytes=16 << 20, seconds=60)

# A worker in the middle of a phase; it says so once the phase has said something.
WORKER = """
from builders.orders import Limits
from builders.sandbox import Sandbox
room = Limits(cpus=1, memory_bytes=64 << 20, disk_bytes=16 << 20, seconds=60)
sandbox = Sandbox()
image = sandbox.builder_image("inspector")
with sandbox.workspace("tests/killed-worker", room) as workspace:
    workspace.run(image, ("sh", "-c", "echo begun; sleep 50"), phase="build", environment={},
        limits=room, stdout_limit_bytes=100, on_output=lambda _, piece: print("begun", flush=True))
"""


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    opened = docker.from_env()
    yield opened
    opened.close()


def left(client: docker.DockerClient, label: str) -> tuple[int, int]:
    ours = {"label": f"escrow.run={label}"}
    containers = client.containers.list(all=True, filters=ours)
    return len(containers), len(client.volumes.list(filters=ours))


def test_killed_worker_is_swept(sandbox: Sandbox, client: docker.DockerClient) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"begun\n"
        assert sandbox.sweep("tests/killed-worker") == 0, "its owner lives"
        worker.kill()
    assert left(client, "tests/killed-worker") == (2, 1)
    assert sandbox.sweep("tests/killed-worker") == 3
    assert left(client, "tests/killed-worker") == (0, 0)


def test_living_worker_is_left_alone(sandbox: Sandbox, client: docker.DockerClient) -> None:
    with sandbox.workspace("tests/alive", ROOM):
        sandbox.sweep("tests/alive")
        assert left(client, "tests/alive") == (1, 1)


def test_things_that_are_not_ours_are_left_alone(
    sandbox: Sandbox, client: docker.DockerClient
) -> None:
    stranger = client.volumes.create("tests-stranger", labels={"some.label": "x"})
    try:
        sandbox.sweep("tests/")
        assert client.volumes.get("tests-stranger").id == stranger.id
    finally:
        stranger.remove()
