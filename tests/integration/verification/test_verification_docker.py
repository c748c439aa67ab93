"""The job in a real engine, with real containers, from sealed bytes to signed reports."""

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from escrow.evidence.checking import check_document
from escrow.ground.identifiers import DepositId
from escrow.testing import worker
from escrow.testing.verification import AGREEMENT, VerificationWorld
from escrow.verification.documents import read_report
from escrow.verification.log import log_folder, read_live_log
from escrow.verification.records import ExaminationRow, newest_examination

ROOT = Path(__file__).parents[3]
MAKEFILE = b"all: ledger\nledger: ledger.c\n\tcc -o ledger ledger.c\n"
LEDGER = b'#include <stdio.h>\nint main(void) { puts("ledger"); return 0; }\n'
WHOLE = {"Makefile": MAKEFILE, "ledger.c": LEDGER, "README": b"make\n"}
BROKEN = {**WHOLE, "ledger.c": b"#include <nowhere_at_all.h>\n" + LEDGER}
SLOW = {**WHOLE, "Makefile": b"all:\n\techo started; sleep 8; cc -o ledger ledger.c\n"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VerificationWorld]:
    made = worker.world_of(tmp_path)
    yield made
    made.close()


def run_job(world: VerificationWorld, deposit_id: DepositId) -> ExaminationRow:
    """Run the job in an engine of this process, which also takes up what a dead one left."""
    engine = worker.engine_of(world.ledger.folder)
    again = worker.world_of(world.ledger.folder, engine)
    again.examiner.define()
    engine.start()
    try:
        engine.wait(worker.enqueue(again, engine, deposit_id), 180)
    finally:
        engine.stop()
        again.close()
    return world.examination(deposit_id)


def left_in_docker(examination_id: str) -> list[str]:
    """Return what carries the examination's label."""
    client = docker.from_env()
    named = [*client.containers.list(all=True), *client.volumes.list()]
    labels = [(one.attrs.get("Config") or one.attrs).get("Labels") or {} for one in named]
    client.close()
    return [str(one) for one in labels if examination_id in str(one)]


def test_a_whole_project_passes(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit(WHOLE)
    row = run_job(world, deposit_id)
    assert (row.state, row.verdict, row.level) == ("done", "pass", "build")
    assert left_in_docker(row.id) == []
    report = world.report(deposit_id, "beneficiary", AGREEMENT)
    checked = check_document(json.dumps(report.document), world.ledger.trust_root)
    assert checked.facts()["level_reached"] == "build"
    assert b"cc -o ledger" in world.documents(deposit_id)["log"]


def test_the_bill_of_materials_has_what_the_deposits_own_lock_fixes(
    world: VerificationWorld,
) -> None:
    row = {"version": "1.2.3", "integrity": "sha512-" + base64.b64encode(bytes(64)).decode()}
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/@s/left": row}}
    files = {**WHOLE, "package-lock.json": json.dumps(lock).encode()}
    deposit_id = world.sealed_deposit(files)
    run_job(world, deposit_id)
    vendor = read_report(world.report(deposit_id), world.blobs, world.keyholder, world.database)
    checked = check_document(json.dumps(vendor), world.ledger.trust_root)
    (bom,) = (one.statement for one in checked.beside if one.kind.name == "materials")
    listed = {one.get("purl"): one for one in bom.predicate["components"]}  # type: ignore[attr-defined]
    assert listed["pkg:npm/%40s/left@1.2.3"]["hashes"] == [{"alg": "SHA-512", "content": "00" * 64}]


def test_a_project_that_lacks_a_header_fails_with_its_name(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit(BROKEN)
    row = run_job(world, deposit_id)
    assert (row.verdict, row.level) == ("fail", "inventory")
    assert "E-BUILD-HEADER-MISSING" in world.codes(deposit_id)
    vendor = read_report(world.report(deposit_id), world.blobs, world.keyholder, world.database)
    statement = check_document(json.dumps(vendor), world.ledger.trust_root).statement
    assert "nowhere_at_all.h" in json.dumps(dict(statement.predicate))
    others = world.report(deposit_id, "beneficiary", AGREEMENT)
    assert "nowhere_at_all.h" not in json.dumps(others.document)


def test_a_worker_that_is_killed_in_a_build_leaves_one_report_and_nothing_else(
    world: VerificationWorld,
) -> None:
    deposit_id = world.sealed_deposit(SLOW)
    arguments = [
        sys.executable,
        "-m",
        "escrow.testing.worker",
        str(world.ledger.folder),
        deposit_id,
    ]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, cwd=ROOT) as process:
        wait_until_building(world, deposit_id)
        process.send_signal(signal.SIGKILL)
    row = run_job(world, deposit_id)
    assert (row.state, row.verdict, row.attempt) == ("done", "pass", 2)
    assert left_in_docker(row.id) == []
    assert len(world.events("report:signed")) == 2
    assert not list(world.scratch.rglob("build.log*"))


def test_a_worker_that_is_killed_while_it_keeps_an_image_keeps_it_once(
    world: VerificationWorld,
) -> None:
    deposit_id = world.sealed_deposit(WHOLE)
    folder = world.ledger.folder
    arguments = [sys.executable, "-m", "escrow.testing.worker", str(folder), deposit_id]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, cwd=ROOT) as process:
        # Nothing else is staged before the documents, and those come after the images.
        wait_until(lambda: any((folder / "blobs" / "staging").iterdir()))
        process.send_signal(signal.SIGKILL)
    row = run_job(world, deposit_id)
    assert (row.state, row.verdict, row.attempt) == ("done", "pass", 2)
    kit = json.loads(world.documents(deposit_id)["kit"])
    assert len(kit["images"]) == 2
    for image in kit["images"]:
        world.blobs.check(image["archiveSha256"])
    assert world.blobs.sweep_staging() == 1


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + 180
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came to that")
        time.sleep(0.05)


def wait_until_building(world: VerificationWorld, deposit_id: DepositId) -> None:
    """Return once the build has said its first word."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.2)
        with world.database.reading() as session:
            row = newest_examination(session, deposit_id)
        if row is not None and row.state == "building":
            said = read_live_log(log_folder(world.scratch, row.id)).data
            if b"\nstarted\n" in said:
                return
    raise TimeoutError("the build never began")
