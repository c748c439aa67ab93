"""Two processes append to one stream at once, while the keyholder sequences."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from escrow.testing.databases import instead, trial_databases
from escrow.testing.ledgers import LedgerWorld

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("append_process.py")
EACH = 400


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_none_of_800_appends_is_lost_and_the_tree_holds(kind, tmp_path, request) -> None:
    databases = request.getfixturevalue("postgresql") if kind == "postgresql" else trial_databases()
    with instead(databases):
        world = LedgerWorld(tmp_path)
    writers = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), world.database.url, role, str(EACH)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for role in ("portal", "worker")
    ]
    while any(writer.poll() is None for writer in writers):
        world.sequence()
    assert [writer.returncode for writer in writers] == [0, 0]
    world.sequence()
    assert world.check().leaves == 2 * EACH
    world.close()
