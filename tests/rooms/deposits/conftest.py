from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.testing.intake import IntakeWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IntakeWorld]:
    world = IntakeWorld(tmp_path, tmp_path / "scratch")
    yield world
    world.close()
