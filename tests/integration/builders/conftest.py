"""A real engine, its images, and workspaces in it."""

from collections.abc import Callable, Iterator

import pytest

from builders.orders import ImageId, Limits, PhaseResult
from builders.sandbox import Sandbox, Workspace

ROOM = Limits(cpus=2, memory_bytes=512 << 20, disk_bytes=256 << 20, seconds=60)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture(scope="session")
def inspector_image(sandbox: Sandbox) -> ImageId:
    return sandbox.builder_image("inspector")


@pytest.fixture
def workspace(sandbox: Sandbox) -> Iterator[Workspace]:
    with sandbox.workspace("tests/one", ROOM) as opened:
        yield opened


@pytest.fixture
def run(workspace: Workspace, inspector_image: ImageId) -> Callable[..., PhaseResult]:
    """Run a shell line in the inspector image, with every term replaceable."""

    def runner(line: str, **terms: object) -> PhaseResult:
        chosen = {
            "phase": "build",
            "environment": {},
            "limits": ROOM,
            "stdout_limit_bytes": 1 << 20,
            **terms,
        }
        return workspace.run(inspector_image, ("sh", "-c", line), **chosen)

    return runner
