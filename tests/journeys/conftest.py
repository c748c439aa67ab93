"""One running service for all journeys: real processes, real git, real Docker, over loopback."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pytest

from demo.cast import PRODUCT, Cast, key
from demo.play import set_up_parties
from demo.release import file_request
from demo.stage import ESCROW, Stage, run, stage

# A verification of a small project takes some ten seconds; a restart in between as long again.
PATIENCE_SECONDS = 180.0

T = TypeVar("T")

_HELPER = '!f() { echo username=t; echo "password=$ESCROW_TOKEN"; }; f'
_WHO = ("-c", "user.name=V", "-c", "user.email=v@acme.example")


@dataclass
class Served:
    """A service with a product, an agreement in force and everybody's tokens."""

    here: Stage
    cast: Cast
    clones: list[Path] = field(default_factory=list)

    def person(self, role: str) -> dict[str, str]:
        """Return the environment of one of the cast."""
        return self.here.person(self.cast.tokens[role])

    def clone(self, files: dict[str, str | bytes]) -> Path:
        """Return a new repository of the vendor's with one commit of these files."""
        folder = self.here.folder / f"clone-{len(self.clones)}"
        self.clones.append(folder)
        folder.mkdir()
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        run("git", "init", "-q", "-b", "main", cwd=folder)
        run("git", "add", "-A", cwd=folder)
        run("git", *_WHO, "commit", "-q", "-m", "State", cwd=folder)
        return folder

    def push_command(self) -> list[str]:
        """Return the command that pushes the clone it is run in."""
        address = f"{self.here.url}/git/{PRODUCT}/source.git"
        return ["git", "-c", f"credential.helper={_HELPER}", "push", address, "main"]

    def push(self, clone: Path) -> str:
        """Push a clone and return what git printed."""
        return run(*self.push_command(), cwd=clone, environment=self.person("vendor"))

    def ask(self, role: str, *arguments: str) -> dict[str, object]:
        """Run a command as one of the cast and return its JSON, whatever its exit code."""
        done = subprocess.run(
            [str(ESCROW), *arguments, "--json"],
            env=self.person(role),
            capture_output=True,
            text=True,
            check=False,
        )
        document: dict[str, object] = json.loads(done.stdout)
        return document

    def deposits(self) -> list[dict[str, object]]:
        """Return the product's deposits as the vendor sees them, newest first."""
        return self.ask("vendor", "status", PRODUCT)["deposits"]  # type: ignore[return-value]

    def verdict_of(self, number: int) -> dict[str, object]:
        """Wait for a deposit's report and return its summary."""
        return wait_for(
            lambda: self.ask("vendor", "report", f"{PRODUCT}#{number}"),
            lambda report: "verdict" in report,
        )

    @cached_property
    def request(self) -> str:
        """A release request that waits for the agents."""
        filed = file_request(self.here, self.cast)
        own = ("--key", key(self.here, "vendor"))
        self.here.escrow(self.person("vendor"), "request", "consent", filed, *own)
        return filed

    @cached_property
    def drill(self) -> str:
        """A drill that waits for the agents."""
        return str(self.ask("agent_1", "ceremony", "drill", self.cast.agreement)["id"])

    @cached_property
    def hold(self) -> str:
        """A hold of the beneficiary."""
        words = self.here.folder / "order.txt"
        words.write_text("Keep everything, says the court.\n", encoding="utf-8")
        own = ("--statement", str(words), "--key", key(self.here, "beneficiary"))
        return str(self.ask("beneficiary", "agreement", "hold", self.cast.agreement, *own)["id"])

    def places(self) -> dict[str, str]:
        """Return something real for each name that stands in an address of the API."""
        vendor, product = PRODUCT.split("/")
        shown = self.ask("beneficiary", "request", "show", self.request)
        return {
            "vendor": vendor,
            "product": product,
            "number": "newest",
            "deposit_id": str(self.deposits()[0]["id"]),
            "agreement_id": self.cast.agreement,
            "request_id": self.request,
            "sha256": str(shown["papers"][0]["sha256"]),  # type: ignore[index]
            "session_id": self.drill,
            "ending_id": self.hold,
            "upload_id": "upl_none",
            "file_id": "prt_none",
        }

    def kill(self) -> None:
        """End the service as a power cut would, and wait until its keyholder noticed."""
        self.here.kill()
        socket = self.here.folder / "home" / "run" / "keyholder.sock"
        wait_for(lambda: socket.exists(), lambda there: not there)


def wait_for(
    look: Callable[[], T],
    enough: Callable[[T], bool],
    patience_seconds: float = PATIENCE_SECONDS,
) -> T:
    """Look again and again until it is enough; a test that waits in vain fails."""
    until = time.monotonic() + patience_seconds
    while not enough(seen := look()):
        assert time.monotonic() < until, f"waited in vain; last seen: {seen}"
        time.sleep(0.1)
    return seen


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """Give the running service, its parties set up."""
    with stage() as here:
        one_time = here.ask(here.service_environment, "admin", "init")["one_time_token"]
        here.start()
        yield Served(here, set_up_parties(here, str(one_time)))
