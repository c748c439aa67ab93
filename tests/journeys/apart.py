"""Portal, worker and keyholder as processes of their own, each with a home of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from demo.stage import ESCROW, START_TIMEOUT_SECONDS, PlayFailed, Stage, answers, free_port


class ApartStage(Stage):
    """A service of three processes on loopback, over mutual TLS."""

    title = "portal, worker and keyholder, each on its own"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keyholder_address = f"127.0.0.1:{free_port()}"
        self.relay_address = f"127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def trust_root(self) -> Path:
        return self.home("portal") / "trust-root.json"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'database' / 'escrow.db'}"

    def home(self, name: str) -> Path:
        """Return the home of a process; workers are one role with one set of keys."""
        return self.folder / "homes" / name.partition("-")[0]

    def scratch_of(self, name: str) -> Path:
        return self.scratch.with_name(f"{self.scratch.name}-{name}")

    def environment_of(self, name: str) -> Mapping[str, str]:
        """Return what a process is told: of the keys and the plaintext, only its own."""
        common = {
            "ESCROW_HOME": str(self.home(name)),
            "ESCROW_SCRATCH": str(self.scratch_of(name)),
            "ESCROW_BLOBS": str(self.folder / "blobs"),
            "ESCROW_EXCHANGE": str(self.folder / "exchange"),
            "ESCROW_DATABASE_URL": self.database_url,
        }
        own = {
            "portal": {
                "ESCROW_KEYHOLDER_ADDRESS": self.keyholder_address,
                "ESCROW_RELAY_LISTEN": self.relay_address,
            },
            "worker": {
                "ESCROW_KEYHOLDER_ADDRESS": self.keyholder_address,
                "ESCROW_RELAY_ADDRESS": self.relay_address,
            },
            "keyholder": {"ESCROW_KEYHOLDER_LISTEN": self.keyholder_address},
        }
        return self.service_environment | common | own[name.partition("-")[0]]

    def set_up(self) -> dict[str, object]:
        (self.folder / "database").mkdir()
        self.escrow(self.environment_of("portal"), "admin", "migrate")
        for name in ("keyholder", "worker", "portal"):
            self.begin(name)
        self.wait_until_up()
        return self.ask(self.environment_of("portal"), "admin", "init")

    def operate(self, *arguments: str) -> str:
        return self.escrow(self.environment_of("portal"), *arguments)

    def begin(self, name: str) -> None:
        """Start one process; ``worker-2`` is a second worker on another machine."""
        log = (self.folder / "service.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [str(ESCROW), name.partition("-")[0]],
            env=self.environment_of(name),
            stdout=log,
            stderr=log,
        )

    def wait_until_up(self) -> None:
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while not answers(self.port):
            ended = [name for name, one in self.processes.items() if one.poll() is not None]
            if ended or time.monotonic() > until:
                raise PlayFailed(f"the service did not start; ended: {ended}")
            time.sleep(0.1)

    def end(self, name: str) -> None:
        """End one process at once, as a power cut would."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> int | None:
        for process in self.processes.values():
            process.terminate()
        codes = [process.wait(60) for process in self.processes.values()]
        for name in ("portal", "worker", "keyholder"):
            for scratch in self.scratch.parent.glob(self.scratch_of(name).name + "*"):
                shutil.rmtree(scratch, ignore_errors=True)
        return max(codes, default=None)
