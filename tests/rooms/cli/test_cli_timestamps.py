"""``escrow admin timestamps`` tells what waits, and exits 1 when it waits for too long."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from escrow.evidence.anchors import Anchors
from escrow.evidence.timing import records
from escrow.ground.clock import SystemClock
from escrow.ground.database import Database
from escrow.operations.home import Home
from escrow.operations.own_keys import worker_keys
from escrow.operations.tables import upgrade
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.timestamps import TrialAuthority

ON_SQLITE_ALONE = True


class Installation:
    """A home in which a worker has run, and whose trust root names an authority or none."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        for one in (self.home.root, self.home.service, self.home.database_folder):
            one.mkdir()
        worker_keys(self.home)
        (folder / "ledger").mkdir()
        ledger = LedgerWorld(folder / "ledger")
        ledger.close()
        self.root = ledger.trust_root
        self.name()
        self.database = Database(f"sqlite:///{self.home.database_folder / 'escrow.db'}")
        upgrade(self.database)

    def name(self, *trials: TrialAuthority) -> None:
        anchors = Anchors(authorities=tuple(one.authority for one in trials))
        self.home.trust_root.write_text(replace(self.root, anchors=anchors).to_json())

    def wait_since(self, moment: datetime) -> None:
        with self.database.writing() as session:
            records.await_token(session, "ab" * 32, b"signature", moment)

    def look(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ESCROW_")}
        environment = kept | {"ESCROW_HOME": str(self.home.root), "ESCROW_ENV": "demo"}
        command = [sys.executable, "-m", "escrow.operations.cli", "admin", "timestamps", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_without_an_authority_nothing_is_overdue(installation: Installation) -> None:
    installation.wait_since(SystemClock().now() - timedelta(days=9))
    done = installation.look()
    assert (done.returncode, done.stderr) == (0, "")
    assert "names no timestamp authority" in done.stdout


def test_what_waits_is_told_and_more_than_a_day_is_too_long(
    installation: Installation, tmp_path: Path
) -> None:
    installation.name(TrialAuthority(tmp_path / "tsa"))
    assert json.loads(installation.look("--json").stdout)["waiting"] == 0
    installation.wait_since(SystemClock().now() - timedelta(hours=23))
    done = installation.look("--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["waiting"], told["overdue"]) == (0, 1, False)
    with installation.database.writing() as session:
        records.stop_waiting(session, "ab" * 32)
    installation.wait_since(SystemClock().now() - timedelta(hours=25))
    late = installation.look()
    assert late.returncode == 1
    assert "1 signatures wait for trial-tsa, the oldest since" in late.stdout
