from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.testing.gits import TrialRepository
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import served


@pytest.fixture
def scratch() -> Iterator[Path]:
    # Not below tmp_path, which belongs to one user alone: git's own user must get here.
    folder = Path(tempfile.mkdtemp(prefix="escrow-scratch-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def world(tmp_path: Path, scratch: Path) -> Iterator[IntakeWorld]:
    world = IntakeWorld(tmp_path, scratch)
    yield world
    world.close()


@pytest.fixture
def url(world: IntakeWorld) -> Iterator[str]:
    with served(world.app(idle_seconds=5)) as address:
        yield address


@pytest.fixture
def token(world: IntakeWorld) -> str:
    return world.token()


@pytest.fixture
def repository(tmp_path: Path) -> TrialRepository:
    repository = TrialRepository(tmp_path / "clone")
    repository.commit({"README": "Engine\n", "src/engine.c": "int main(void) { return 0; }\n"})
    return repository
