from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.testing.verification import VerificationWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VerificationWorld]:
    made = VerificationWorld(tmp_path)
    yield made
    made.close()
