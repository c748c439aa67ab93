"""What we tell people to type exists: every command that a message quotes, with its options."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from escrow.operations.cli.application import app

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"'escrow ([a-z][^'\n]*)'")


def quoted_commands():
    """Return every command line that a string of the product quotes, placeholders left as X."""
    found = set()
    for tree in ("builders", "escrow"):
        for file in (ROOT / tree).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    text = "".join(
                        part.value if isinstance(part, ast.Constant) else "X"
                        for part in node.values
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                else:
                    continue
                found |= set(QUOTED.findall(text))
    return sorted(found)


@pytest.mark.parametrize("line", quoted_commands())
def test_a_quoted_command_exists(line):
    command = get_command(app)
    words = line.split()
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"'escrow {line}': no command '{words[0]}'"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= options, line


def test_the_search_sees_the_commands():
    assert len(quoted_commands()) > 20
