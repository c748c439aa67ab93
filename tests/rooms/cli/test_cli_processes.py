"""Commands that are processes of their own, and what a shell does to one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ESCROW = [sys.executable, "-m", "escrow.operations.cli"]

# The service starts within seconds; a machine that builds beside it takes longer.
PATIENCE_SECONDS = 60


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the keyholder's own user can enter, which the tests' own is not."""
    with tempfile.TemporaryDirectory(prefix="escrow-cli-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.fixture
def home(folder: Path) -> dict[str, str]:
    """The environment of whoever runs a service in a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESCROW_")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"ESCROW_HOME": str(folder / "home"), "ESCROW_KEY_MANAGER": "file"}
    own |= {"ESCROW_ENV": "demo", "ESCROW_LISTEN_PORT": str(port)}
    return kept | own | {"ESCROW_PUBLIC_URL": f"http://127.0.0.1:{port}"}


def run(home: dict[str, str], *words: str, **pipes: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    known = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": home} | pipes
    return subprocess.run([*ESCROW, *words], text=True, check=False, **known)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def started(home: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A service that is listening, started with ``--json``."""
    command = [*ESCROW, "serve", "--json"]
    process = subprocess.Popen(
        command, env=home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Listening on" in line:
                break
        try:
            yield process
        finally:
            process.kill() if process.poll() is None else None


def test_service_stops_in_order_on_ctrl_c_with_one_document(started, home) -> None:
    checked = run(home, "trust-root", "--save", "/dev/null", "--json", env=home | _url(home))
    assert checked.returncode == 0, checked.stderr
    assert json.loads(run(home, "alive", "portal", "--json").stdout)["alive"] is True
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 0, err
    assert json.loads(out) == {"stopped": True}
    assert "Traceback" not in err


def _url(home: dict[str, str]) -> dict[str, str]:
    return {"ESCROW_URL": home["ESCROW_PUBLIC_URL"]}


def test_set_up_ledger_and_keyholder(home) -> None:
    first = json.loads(run(home, "admin", "init", "--json").stdout)
    assert first["one_time_token"].startswith("esc_")
    again = json.loads(run(home, "admin", "init", "--json").stdout)
    assert again["one_time_token"] is None
    assert isinstance(json.loads(run(home, "admin", "migrate", "--json").stdout), dict)
    verified = run(home, "ledger", "verify", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["entries"] > 0) == (0, True)
    compared = run(home, "ledger", "fsck", "--json")
    assert (compared.returncode, "token" in json.loads(compared.stdout)["tables"]) == (0, True)
    database = Path(home["ESCROW_HOME"]) / "database/escrow.db"
    with contextlib.closing(sqlite3.connect(database)) as tampered, tampered:
        tampered.execute("UPDATE token SET role = 'vendor'")
    compared = run(home, "ledger", "fsck", "--json")
    assert compared.returncode == 1, compared.stderr
    assert json.loads(compared.stdout)["error"]["code"] == "ledger.state-contradicts-event"


def test_port_that_is_taken(home) -> None:
    with socket.create_server(("127.0.0.1", int(home["ESCROW_LISTEN_PORT"]))):
        done = run(home, "serve", "--json")
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "service.address-taken"


def test_ledger_where_there_is_none_could_not_be_told(home) -> None:
    done = run(home, "ledger", "verify", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "cli.no-installation"


@pytest.mark.parametrize("command", ["keyholder", "portal", "worker", "alive portal", "alive x"])
def test_process_apart_that_was_never_set_up(home, command: str) -> None:
    done = run(home, *command.split(), "--json")
    assert json.loads(done.stdout)["error"]["remedy"]
    assert done.returncode in (1, 2)


@pytest.mark.parametrize("command", ["serve", "admin init"])
def test_production_names_its_key_manager(home, command: str) -> None:
    bare = {name: value for name, value in home.items() if name != "ESCROW_KEY_MANAGER"}
    done = run(bare | {"ESCROW_ENV": "production"}, *command.split(), "--json")
    assert json.loads(done.stdout)["error"]["code"] == "settings.key-manager-not-named"
    assert done.returncode == 2


def test_images_without_an_engine(home) -> None:
    nowhere = home | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = run(nowhere, "admin", "images", "--json")
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "builders.engine-unavailable"


def test_home_that_is_a_file(home, folder) -> None:
    (folder / "home").touch()
    done = run(home, "admin", "init", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "cli.file-trouble"


def test_pages_are_listed(home) -> None:
    assert "errors.md" in json.loads(run(home, "docs", "--json").stdout)


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


# Whether a write fails at once or at the end.
BUFFERING = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


@BUFFERING
@pytest.mark.parametrize("words", ["agreement new", "--help", "keys show nobody --json"])
def test_reader_who_went_away_is_no_error(home, closed_pipe, words: str, unbuffered: str) -> None:
    done = run(home | {"PYTHONUNBUFFERED": unbuffered}, *words.split(), stdout=closed_pipe)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert "escrow-fault" not in done.stderr
    assert done.returncode in (0, 2)


def test_reader_of_complaints_who_went_away(home, closed_pipe) -> None:
    done = run(home, "product", "list", stderr=closed_pipe)
    assert done.returncode == 2


@BUFFERING
def test_disk_that_is_full_is_told(home, unbuffered: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = run(home | {"PYTHONUNBUFFERED": unbuffered}, "agreement", "new", stdout=full)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_output_that_was_never_open(home, closed: str) -> None:
    line = " ".join([*ESCROW, "product", "list", closed])
    done = subprocess.run(["sh", "-c", line], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_the_service_is_asked(home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        known = {
            "ESCROW_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "ESCROW_TOKEN": "esc_x",
        }
        process = subprocess.Popen(
            [*ESCROW, "product", "list", "--json"],
            env=home | known,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A run in the background ignores Ctrl-C, and would hand that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        # Held until the end: a connection that is dropped would be the service's own answer.
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, json.loads(out)["error"]["code"]) == (130, "cli.interrupted")
    assert "Traceback" not in err
