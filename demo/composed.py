"""The play in containers: portal, worker, keyholder and PostgreSQL, each on its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from demo.stage import ROOT, PlayFailed, Stage, clean_environment, run

# The first start sets the database up and waits until all processes have met.
START_SECONDS = 300

SOCKET = Path("/var/run/docker.sock")


class ComposedStage(Stage):
    """A service of containers that this machine's engine runs; its volumes end with the play."""

    title = "portal, worker, keyholder and PostgreSQL in containers"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.project = f"escrow-play-{os.getpid()}"
        self.secrets = folder / "secrets"

    @property
    def trust_root(self) -> Path:
        """The public keys, carried out of the portal's container by hand."""
        return self.folder / "trust-root.json"

    @property
    def compose_environment(self) -> dict[str, str]:
        """What docker-compose.yml asks of its surroundings."""
        return clean_environment() | {
            "ESCROW_PROJECT": self.project,
            "ESCROW_ENV": "demo",
            "ESCROW_SECRETS": str(self.secrets),
            "ESCROW_PORT": f"127.0.0.1:{self.port}",
            "ESCROW_PUBLIC_URL": self.url,
            "ESCROW_DOCKER_GROUP": str(SOCKET.stat().st_gid),
            "ESCROW_POSTGRES_IMAGE": "escrow/postgres:local",
        }

    def compose(self, *arguments: str) -> str:
        """Run one ``docker compose`` command on this play's containers; return what it printed.

        Raises:
            PlayFailed: it failed.
        """
        environment = self.compose_environment
        return run("docker", "compose", *arguments, cwd=ROOT, environment=environment)

    def set_up(self) -> dict[str, object]:
        """Make the passwords, start everything, and have the portal print the one-time token."""
        run("scripts/make-secrets.sh", str(self.secrets), cwd=ROOT)
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(START_SECONDS))
        root = self.operate_quietly("cat", "/var/lib/escrow/portal/trust-root.json")
        self.trust_root.write_text(root, encoding="utf-8")
        told: dict[str, object] = json.loads(
            self.operate_quietly("escrow", "admin", "init", "--json")
        )
        return told

    def operate(self, *arguments: str) -> str:
        """Run one ``escrow`` command where the portal runs."""
        return self.operate_quietly("escrow", *arguments)

    def operate_quietly(self, *command: str) -> str:
        """Run one command in the portal's container and return its output without its warnings.

        Raises:
            PlayFailed: it failed.
        """
        done = subprocess.run(
            ["docker", "compose", "exec", "--no-TTY", "portal", *command],
            cwd=ROOT,
            env=self.compose_environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PlayFailed(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def last_words(self) -> str:
        """Return the end of what the containers said."""
        return self.compose("logs", "--no-color", "--tail", "25")

    def kill(self) -> None:
        """End every container at once, as a power cut would."""
        self.compose("kill")

    def stop(self) -> int | None:
        """Take everything away, the volumes too."""
        self.compose("down", "--volumes", "--timeout", "20")
        return 0
