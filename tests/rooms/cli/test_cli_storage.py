"""``escrow admin scrub`` and ``escrow admin storage`` over a real store with a second copy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from escrow.ground.clock import SystemClock
from escrow.ground.database import Database
from escrow.ground.digests import sha256_hex
from escrow.operations.home import Home
from escrow.operations.own_keys import worker_keys
from escrow.operations.tables import upgrade
from escrow.testing.ledgers import LedgerWorld
from escrow.vault import records
from escrow.vault.blobs import FileBlobStore

ON_SQLITE_ALONE = True
CONTENTS = [f"sealed {number}".encode() for number in range(3)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installation in which three documents are stored, as the worker's tables name them."""
    home = Home(tmp_path / "home")
    for folder in (home.root, home.service, home.database_folder, home.blobs):
        folder.mkdir()
    worker_keys(home)
    (tmp_path / "ledger").mkdir()
    ledger = LedgerWorld(tmp_path / "ledger")
    ledger.close()
    home.trust_root.write_text(ledger.trust_root.to_json(), encoding="utf-8")
    database = Database(f"sqlite:///{home.database_folder / 'escrow.db'}")
    upgrade(database)
    store = FileBlobStore(home.blobs)
    with database.writing() as session:
        for number, content in enumerate(CONTENTS):
            staging = store.stage()
            staging.append(content)
            staging.commit(sha256_hex(content))
            records.add(session, _document(number, content))
    database.close()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESCROW_")}
    own = {"ESCROW_HOME": str(home.root), "ESCROW_ENV": "demo", "ESCROW_REPLICA": "files"}
    return kept | own | {"ESCROW_REPLICA_FOLDER": str(tmp_path / "second")}


def _document(number: int, content: bytes) -> records.DocumentRow:
    return records.DocumentRow(
        id=f"doc_{number}",
        product_id="prd_1",
        deposit_id="dep_1",
        kind="manifest",
        disclosure_class="vendor",
        media_type="application/json",
        header=b"",
        documents_epoch=1,
        encoding="identity",
        sha256="0" * 64,
        size_bytes=1,
        payload_sha256=sha256_hex(content),
        payload_size_bytes=len(content),
        created_at=SystemClock().now(),
    )


def _run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "escrow.operations.cli", "admin", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_scrub_copies_reads_mends_and_tells(environment: dict[str, str], tmp_path: Path) -> None:
    first = _run(environment, "scrub", "--json")
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads(first.stdout)["payloads"] == 6
    digest = sha256_hex(CONTENTS[1])
    copy = tmp_path / "second" / "payloads" / digest
    copy.chmod(0o644)
    copy.write_bytes(b"sealed X")
    mended = _run(environment, "scrub")
    assert mended.returncode == 0
    assert "1 corrupted, 1 mended, 0 damaged for good" in mended.stdout
    assert sha256_hex(copy.read_bytes()) == digest
    told = _run(environment, "storage", "--json")
    assert told.returncode == 0
    document = json.loads(told.stdout)
    assert (document["payloads"], document["lacking_replica"], document["damaged"]) == (3, 0, [])
    assert document["whole_scrub_ended_at"]


def test_what_cannot_be_mended_makes_both_commands_exit_1(environment, tmp_path: Path) -> None:
    assert _run(environment, "scrub").returncode == 0
    digest = sha256_hex(CONTENTS[0])
    for path in tmp_path.rglob(digest):
        path.unlink()
    assert _run(environment, "scrub").returncode == 1
    told = _run(environment, "storage")
    assert told.returncode == 1
    assert f"{digest} primary missing" in told.stdout


def test_where_no_worker_ran_both_refuse_with_the_remedy(environment: dict[str, str]) -> None:
    elsewhere = environment | {"ESCROW_HOME": "/nowhere/at/all"}
    for command in ("scrub", "storage"):
        done = _run(elsewhere, command)
        assert done.returncode != 0
        assert "where the worker runs" in done.stderr
