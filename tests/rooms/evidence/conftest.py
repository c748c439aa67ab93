from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.testing.ledgers import LedgerWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    made = LedgerWorld(tmp_path)
    yield made
    made.close()
