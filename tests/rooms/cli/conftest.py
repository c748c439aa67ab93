"""The command line in this process: what it printed where, and how it ended."""

from __future__ import annotations

import contextvars
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from escrow.ground.clock import SystemClock
from escrow.operations.cli import ending
from escrow.operations.settings_source import settings
from escrow.testing.custody import CustodyWorld
from escrow.testing.releases import ReleaseWorld, SettledFolder
from tests.rooms.cli.lines import Line, Things, write_files


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document, which must be all that stands on stdout."""
        return json.loads(self.out)

    def problem(self) -> dict[str, Any]:
        """Return the problem object of a command with ``--json``, told to people as well."""
        assert set(self.document) == {"error"}, self.out
        problem: dict[str, Any] = self.document["error"]
        for sentence in (problem["reason"], problem["remedy"]):
            assert "\n" not in sentence
            assert sentence.endswith((".", "?")), sentence
            assert sentence in self.err
        assert self.code in (1, 2, 130)
        assert problem["code"] != "cli.own-fault", self.err
        assert "Traceback" not in self.err
        return problem


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command as a person with an empty home would; settings by name."""

    def run_line(*words: str, **environment: str) -> Ended:
        with monkeypatch.context() as own:
            for name in list(os.environ):
                if name.startswith(("ESCROW_", "XDG_")):
                    own.delenv(name)
            own.setenv("HOME", str(tmp_path))
            for name, value in environment.items():
                own.setenv(name, value)
            settings.cache_clear()
            capsys.readouterr()
            # A copy: --json of this line is not that of whatever comes after it in this process.
            code = contextvars.copy_context().run(ending.run, words)
            captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_line


class Desk:
    """A person at a real service: types lines of the table.

    Args:
        world: whose service it is.
        folder: for everybody's files.
        run: types a line.
    """

    def __init__(self, world: ReleaseWorld, folder: Path, run: Run) -> None:
        self.world = world
        self.things = Things(world, write_files(world, folder))
        self._run = run

    @property
    def url(self) -> str:
        """Where the service is."""
        return str(self.world.client.base_url).removesuffix("/").removesuffix("/api/v1")

    def type(self, line: Line, *more: str, **environment: str) -> Ended:
        """Type a line with the token of whoever it is."""
        who = {} if line.who == "-" else {"ESCROW_TOKEN": self.world.tokens[line.who]}
        # An empty passphrase: deriving a key from a real one takes a second each time.
        known = {"ESCROW_URL": self.url, "ESCROW_PASSPHRASE_FILE": os.devnull} | who | environment
        return self._run(*line.words(self.things), *more, **known)


@pytest.fixture
def desk(
    settled_release: SettledFolder, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A service with an agreement in force and one verified deposit, and a person before it."""
    world = CustodyWorld.copied(settled_release, tmp_path / "world")
    # Both sides of a signed act have to live in the same year.
    monkeypatch.setattr(SystemClock, "now", lambda _: world.clock.now())
    try:
        yield Desk(world, tmp_path / "desk", run)
    finally:
        world.close()
