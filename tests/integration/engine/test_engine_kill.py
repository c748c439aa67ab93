"""A service that is killed in the middle of a job, and the one that is started after it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escrow.engine.jobs import JobEngine
from escrow.ground.database import Database, metadata

ROOT = Path(__file__).parents[3]
SERVICE = Path(__file__).with_name("job_process.py")


class Installation:
    """One database, and the services that were started on it.

    Args:
        folder: for what they tell.
        database: a file in the folder, unless one is named with its services' time to live.
    """

    def __init__(self, folder: Path, *database: str) -> None:
        self.folder = folder
        self.arguments = [str(folder), *database]
        self.database = Database(database[0] if database else f"sqlite:///{folder / 'jobs.db'}")
        metadata.create_all(self.database.writer)
        self.portal = JobEngine(self.database.url, "portal", 1, "jobs-1")
        self.portal.prepare()
        self.services: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        service = subprocess.Popen(
            [sys.executable, str(SERVICE), *self.arguments],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.services.append(service)
        return service

    def trace(self) -> list[str]:
        file = self.folder / "trace"
        return file.read_text().splitlines() if file.exists() else []

    def enqueue(self, key: str) -> None:
        with self.database.writing() as session:
            self.portal.enqueue(
                session, "verify", key, {"deposit": "dep_01kb2aaaaaaaaaaaaaaaaaaaaa"}
            )

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def close(self) -> None:
        for service in self.services:
            service.kill()
            service.communicate()
        self.portal.stop()
        self.database.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    here = Installation(tmp_path)
    yield here
    here.close()


def test_killed_in_mid_step_only_that_step_is_repeated(here: Installation) -> None:
    service = here.start()
    here.enqueue("verify-1")
    until(lambda: "second begins" in here.trace())
    service.kill()
    service.wait()
    here.let_go()
    here.start()
    assert here.portal.wait("verify-1", 30).state == "done"
    assert here.trace().count("first") == 1
    assert here.trace().count("second begins") == 2
    assert here.trace().count("second ends") == 1
    assert here.trace().count("third after built of dep_01kb2aaaaaaaaaaaaaaaaaaaaa") == 1


def test_killed_again_and_again_the_job_is_done_once(here: Installation) -> None:
    here.enqueue("verify-1")
    for turn in range(3):
        service = here.start()
        until(lambda turn=turn: here.trace().count("second begins") == turn + 1)
        service.kill()
        service.wait()
    here.let_go()
    here.start()
    assert here.portal.wait("verify-1", 30).state == "done"
    assert here.trace().count("first") == 1
    assert sum(line.startswith("third") for line in here.trace()) == 1


def test_job_enqueued_while_no_service_runs_waits_for_one(here: Installation) -> None:
    here.enqueue("verify-1")
    here.let_go()
    assert here.portal.status("verify-1").state == "waiting"
    here.start()
    assert here.portal.wait("verify-1", 30).state == "done"


def test_second_service_on_the_file_ends_with_a_clear_sentence(here: Installation) -> None:
    first = here.start()
    until(lambda: "started" in here.trace())
    second = here.start()
    _, told = second.communicate(timeout=30)
    assert second.returncode != 0
    assert b"engine.file-held-by-other" in told
    assert f"process {first.pid}".encode() in told
    assert first.poll() is None


def test_service_that_is_asked_to_stop_leaves_its_job_for_the_next(here: Installation) -> None:
    service = here.start()
    here.enqueue("verify-1")
    until(lambda: "second begins" in here.trace())
    service.stdin.close()
    service.stdin = None
    time.sleep(0.3)
    here.let_go()
    assert service.wait(timeout=30) == 0
    assert "second ends" in here.trace()
    assert here.portal.status("verify-1").state == "running"
    here.start()
    assert here.portal.wait("verify-1", 30).state == "done"
    assert here.trace().count("second begins") == 1
