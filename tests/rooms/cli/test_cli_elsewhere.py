"""An agent's client on a machine of his own: HTTP, his own home, his own trust root, no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from escrow.testing.custody import CustodyWorld
from escrow.vault import age


@pytest.fixture
def home(custody_world: CustodyWorld, tmp_path: Path) -> Path:
    """The agent's home: his keys, and the trust root that he was handed."""
    home = tmp_path / "agents-home"
    (home / ".config" / "escrow").mkdir(parents=True)
    cast = custody_world.cast
    cast.signing_key("agent_1").write(home / "cy.pem", None)
    age.write_identity_file(home / "cy.age", cast.identity("agent_1"), None)
    root = custody_world.ledger.trust_root.to_json()
    (home / ".config" / "escrow" / "trust-root.json").write_text(root, encoding="utf-8")
    (home / "token").write_text(custody_world.tokens["agent_1"], encoding="utf-8")
    return home


def type_in(home: Path, world: CustodyWorld, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing of the service at hand but its address."""
    url = str(world.client.base_url).removesuffix("/").removesuffix("/api/v1")
    # His clock goes as the trial's: a session of another year would be over.
    at = world.clock.now().strftime("@%Y-%m-%d %H:%M:%S")
    return subprocess.run(
        ["faketime", "-f", at, sys.executable, "-m", "escrow.operations.cli", *words],
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "HOME": str(home),
            "ESCROW_URL": url,
            "ESCROW_TOKEN_FILE": str(home / "token"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_agent_answers_from_his_own_machine(custody_world: CustodyWorld, home: Path) -> None:
    drill = custody_world.begin_session("drill")
    words = ("ceremony", "answer", drill, "--identity", "cy.age", "--key", "cy.pem", "--yes")
    done = type_in(home, custody_world, *words)
    assert done.returncode == 0, done.stderr
    assert "LIVENESS DRILL" in done.stderr
    assert "No share leaves this machine" in done.stderr
    assert custody_world.do("GET", f"/custody/sessions/{drill}", "agent_2")["answers"] == 1


def test_he_signs_nothing_under_another_trust_root(custody_world: CustodyWorld, home: Path) -> None:
    held = custody_world.begin_session("session")
    root = home / ".config" / "escrow" / "trust-root.json"
    text = root.read_text(encoding="utf-8")
    own = str(custody_world.ledger.key("keyholder").public)
    assert own in text
    other = str(custody_world.cast.signing_key("agent_2").public)
    root.write_text(text.replace(own, other), encoding="utf-8")
    words = ("ceremony", "answer", held, "--identity", "cy.age", "--key", "cy.pem", "--yes")
    done = type_in(home, custody_world, *words)
    assert done.returncode != 0
    assert custody_world.do("GET", f"/custody/sessions/{held}", "agent_2")["answers"] == 0
