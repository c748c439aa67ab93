"""Every command has help with an example that is one, and prints one document with ``--json``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from escrow.operations.cli.application import app
from tests.rooms.cli.conftest import Desk, Run
from tests.rooms.cli.lines import GROUPS, LINES, Line

# These start processes of their own; test_cli_processes.py types them.
PROCESSES = {"serve", "portal", "worker", "keyholder", "alive", "docs"}
PROCESSES |= {"admin init", "admin images", "admin migrate", "ledger verify", "ledger fsck"}
# These open the stores themselves; test_cli_storage.py types them.
PROCESSES |= {"admin scrub", "admin storage"}
# Asked where the worker runs; test_cli_timestamps.py types it.
PROCESSES |= {"admin timestamps"}
PROCESSES |= {"admin continuity export"}


def _walk(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _walk(below, f"{path} {name}".strip())
    else:
        yield path, command


ROOT = get_command(app)
TREE = dict(_walk(ROOT))


def example_of(path: str) -> str:
    """Return the example in a command's help, its lines put together again."""
    _, found, example = (TREE[path].help or "").partition("Example: ")
    assert found, f"'escrow {path}' has no example"
    return " ".join(example.split())


def test_every_command_has_a_line() -> None:
    missing = set(TREE) - PROCESSES - {line.command for line in LINES}
    assert missing == set(), "write a line for it in lines.py, or a test in test_cli_processes.py"
    assert {path.split()[0] for path in TREE if " " in path} == set(GROUPS)


@pytest.mark.parametrize("path", TREE)
def test_help_tells_what_it_does_and_that_it_takes_json(run: Run, path: str) -> None:
    done = run(*path.split(), "--help")
    assert done.code == 0
    assert "Example: " in done.out
    assert "--json" in done.out
    assert done.err == ""


@pytest.mark.parametrize("path", TREE)
def test_example_is_a_line_of_this_command(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(re.split(r" (?:&&|>) ", example_of(path))[0])
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    assert " ".join(words[: 1 + len(path.split())]) == f"escrow {path}"
    arguments = words[1 + len(path.split()) :]
    # Parses it without running it; an option that there is not ends in an error.
    TREE[path].make_context(path, arguments, parent=ROOT.make_context("escrow", ["status", "x"]))


@pytest.mark.parametrize("path", TREE)
def test_every_option_and_argument_is_explained(path: str) -> None:
    assert [one.name for one in TREE[path].params if not getattr(one, "help", None)] == []


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.command)
def test_with_json_it_prints_one_document(desk: Desk, line: Line) -> None:
    done = desk.type(line, "--json")
    assert done.code == 0, done.err
    assert "error" not in done.document
    assert "Traceback" not in done.err


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.command)
def test_people_read_lines_without_brackets(desk: Desk, line: Line) -> None:
    done = desk.type(line)
    assert done.code == 0, done.err
    assert done.out.strip()
    # A log's own lines may begin as they like.
    assert line.command == "logs" or not done.out.startswith(("[", "{"))
