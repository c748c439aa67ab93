"""Somebody starts a second service, or asks for a new token, while the service is running."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from demo.stage import ESCROW, Stage, stage
from escrow.ground.settings import Settings, read_settings
from escrow.operations.calls.unix import UnixLine
from escrow.operations.home import Home
from escrow.operations.installation import AlreadyRunning, prepare, running_keyholder
from escrow.operations.keyholder.client import call, wait_until_up


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        yield made


@contextmanager
def _keyholder_of(here: Stage) -> Iterator[Home]:
    """Run the keyholder of a service that is running."""
    home = Home(_settings(here).home)
    process = subprocess.Popen([str(ESCROW), "keyholder"], env=here.service_environment)
    try:
        wait_until_up(UnixLine(home.socket), process.poll)
        yield home
    finally:
        process.terminate()
        process.wait()


def _settings(here: Stage) -> Settings:
    return read_settings(here.service_environment)


def test_asking_for_a_new_token_leaves_the_running_keyholder_its_socket(here: Stage) -> None:
    here.escrow(here.service_environment, "admin", "init")
    with _keyholder_of(here) as home:
        told = here.escrow(here.service_environment, "admin", "init", "--new-token")
        assert "esc_demo_" in told
        assert call(UnixLine(home.socket), "ping", {}) == "here"


def test_second_service_is_refused_before_it_touches_the_first(here: Stage) -> None:
    here.escrow(here.service_environment, "admin", "init")
    settings = _settings(here)
    home = Home(settings.home)
    home.socket.write_text("the first one's")
    with home.lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning), running_keyholder(settings, home):
            pass
    assert home.socket.read_text() == "the first one's"


def test_link_in_place_of_the_database_is_not_followed(here: Stage, tmp_path: Path) -> None:
    settings = _settings(here)
    other = tmp_path / "others.txt"
    other.write_text("not a database")
    other.chmod(0o600)
    database = tmp_path / "link.db"
    database.symlink_to(other)
    with pytest.raises(OSError, match="symbolic link"):
        prepare(replace(settings, database_url=f"sqlite:///{database}"))
    assert other.stat().st_mode & 0o777 == 0o600
