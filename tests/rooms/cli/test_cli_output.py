"""What a person reads: values without brackets, and no line that nobody can read."""

from __future__ import annotations

import pytest

from escrow.operations.cli.output import give_fields

LONG = [f"payload/prt_{number} sha256:{number:064x}" for number in range(3)]


def test_a_long_list_stands_one_item_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    give_fields({"kind": "receipt", "subjects": LONG})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [f"subjects  {LONG[0]}", f"          {LONG[1]}", f"          {LONG[2]}"]


def test_a_short_list_stands_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    give_fields({"roles": ["vendor", "agent"], "nothing": [], "unknown": None})
    assert capsys.readouterr().out == "roles  vendor; agent\n"
