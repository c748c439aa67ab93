"""What a play needs: numbered steps with their times, people with their own keys, the programs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ESCROW = Path(sys.executable).parent / "escrow"

# The service sets itself up, starts its keyholder and tests its sandbox before it answers.
START_TIMEOUT_SECONDS = 180.0


class PlayFailed(Exception):
    """A step of the play did not end as it should; the message says which and how."""


class Stage:
    """One play: its folder, its service, its clock.

    Everything lies in one folder, which is removed at the end; the service's plaintext scratch
    lies in memory. Nothing else on the machine is touched but the engine's images.
    """

    title = "keyholder, portal and worker on one machine"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.keys.mkdir(parents=True)
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("correct horse battery staple\n", encoding="utf-8")
        self.scratch = Path("/dev/shm") / f"escrow-play-{os.getpid()}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._service: subprocess.Popen[bytes] | None = None
        self._steps = 0

    @property
    def trust_root(self) -> Path:
        """The public keys as they are given to the parties."""
        return self.folder / "home" / "trust-root.json"

    @property
    def service_environment(self) -> dict[str, str]:
        """What the service is told; the demo environment is stamped on every statement."""
        return clean_environment() | {
            "ESCROW_ENV": "demo",
            "ESCROW_HOME": str(self.folder / "home"),
            "ESCROW_SCRATCH": str(self.scratch),
            "ESCROW_KEY_MANAGER": "file",
            "ESCROW_LISTEN_PORT": str(self.port),
            "ESCROW_PUBLIC_URL": self.url,
        }

    def person(self, token: str = "") -> dict[str, str]:
        """Return the environment of a person at his own machine, with his own token."""
        environment = clean_environment() | {
            "ESCROW_URL": self.url,
            "ESCROW_PASSPHRASE_FILE": str(self.passphrase),
            "ESCROW_TRUST_ROOT": str(self.trust_root),
            "HOME": str(self.folder / "person"),
        }
        return environment | ({"ESCROW_TOKEN": token} if token else {})

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a numbered step and how long it took."""
        self._steps += 1
        print(f"\n{self._steps:>2}. {title}", flush=True)
        began = time.monotonic()
        yield
        print(f"    ({time.monotonic() - began:.1f} s)", flush=True)

    def escrow(self, environment: Mapping[str, str], *arguments: str, expect: int = 0) -> str:
        """Run one ``escrow`` command and return what it printed.

        Raises:
            PlayFailed: it ended with another code than expected.
        """
        done = subprocess.run(
            [str(ESCROW), *arguments],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != expect:
            raise PlayFailed(
                f"escrow {' '.join(arguments)} ended with {done.returncode}, not {expect}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def ask(self, environment: Mapping[str, str], *arguments: str) -> dict[str, object]:
        """Run one ``escrow`` command with ``--json`` and return its document."""
        document: dict[str, object] = json.loads(self.escrow(environment, *arguments, "--json"))
        return document

    def show(self, text: str) -> None:
        """Print what a program said, indented below its step."""
        for line in text.rstrip().splitlines():
            print(f"    {line}", flush=True)

    def set_up(self) -> dict[str, object]:
        """Set the service up, start it, and return what the administrator is told."""
        told = self.ask(self.service_environment, "admin", "init")
        self.start()
        return told

    def operate(self, *arguments: str) -> str:
        """Run one ``escrow`` command where the service runs, and return what it printed."""
        return self.escrow(self.service_environment, *arguments)

    def start(self) -> None:
        """Start the service and wait until it answers.

        Raises:
            PlayFailed: it ended, or does not answer in time.
        """
        log = (self.folder / "service.log").open("ab")
        self._service = subprocess.Popen(
            [str(ESCROW), "serve"], env=self.service_environment, stdout=log, stderr=log
        )
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while not answers(self.port):
            if self._service.poll() is not None or time.monotonic() > until:
                raise PlayFailed("the service did not start")
            time.sleep(0.1)

    @property
    def service_pid(self) -> int:
        """The process id of the running service.

        Raises:
            PlayFailed: it was not started.
        """
        if self._service is None:
            raise PlayFailed("the service was not started")
        return self._service.pid

    def kill(self) -> None:
        """End the service at once, as a power cut would."""
        if self._service is not None:
            self._service.kill()
            self._service.wait()

    def last_words(self) -> str:
        """Return the end of the service's log."""
        log = self.folder / "service.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else "nothing"

    def stop(self) -> int | None:
        """Stop the service in order, remove its scratch, and return its exit code."""
        if self._service is not None:
            self._service.terminate()
            try:
                self._service.wait(60)
            except subprocess.TimeoutExpired:
                self._service.kill()
                self._service.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)
        return self._service.returncode if self._service else None


@contextmanager
def stage(kind: Callable[[Path], Stage] | None = None) -> Iterator[Stage]:
    """Give a play its folder and take everything away afterwards.

    Args:
        kind: how the service is run; as ``escrow serve`` when not given.
    """
    with tempfile.TemporaryDirectory(prefix="escrow-play-") as folder:
        # The keyholder has a user of its own and must be able to pass through.
        Path(folder).chmod(0o755)
        play = (kind or Stage)(Path(folder))
        try:
            yield play
        except PlayFailed as problem:
            raise PlayFailed(f"{problem}\n\nThe service said last:\n{play.last_words()}") from None
        finally:
            play.stop()


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a stock program and return what it printed, both streams together.

    Raises:
        PlayFailed: it failed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(environment or clean_environment()),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PlayFailed(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Return the shell's environment without any setting of ours that happens to be in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ESCROW_")}


def answers(port: int) -> bool:
    """Tell whether a service answers on a port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /api/v1/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
