"""What a person signs who accepts an agreement, and what his client refuses to sign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from escrow.register.vouches import records as vouches
from escrow.testing.ledgers import named_key
from tests.rooms.cli.conftest import Desk
from tests.rooms.cli.lines import Line

AGENT = Line("agent_1", "agreement accept {filed} --key {cy}")
VENDOR = Line("vendor", "agreement accept {filed} --key {ada}")


def vouching(desk: Desk) -> list[str]:
    root = desk.world.ledger.trust_root.sha256()
    with desk.world.database.reading() as session:
        return [
            row.signing_key for row in vouches.vouches_of(session, [desk.things["filed"]], root)
        ]


def accepted(desk: Desk) -> list[str]:
    told = desk.world.do("GET", f"/agreements/{desk.things['filed']}", "operator")["missing"]
    return [one["what"] for one in told]


def test_an_agent_who_compared_the_trust_root_vouches_for_it(desk: Desk) -> None:
    done = desk.type(AGENT, "--trust-root", str(desk.things["root"]))
    assert done.code == 0, done.err
    assert vouching(desk) == [str(desk.world.cast.signing_key("agent_1").public)]


def test_an_agent_who_compared_nothing_vouches_for_nothing(desk: Desk) -> None:
    assert desk.type(AGENT).code == 0
    assert vouching(desk) == []


def test_a_party_vouches_for_nothing(desk: Desk) -> None:
    assert desk.type(VENDOR, "--trust-root", str(desk.things["root"])).code == 0
    assert vouching(desk) == []


@pytest.mark.parametrize("line", [AGENT, VENDOR], ids=["agent", "party"])
def test_a_service_with_other_keys_gets_no_signature(
    desk: Desk, tmp_path: Path, line: Line
) -> None:
    before = accepted(desk)
    other = replace(desk.world.ledger.trust_root, log=named_key("somebody").public)
    kept = tmp_path / "kept.json"
    kept.write_text(other.to_json(), encoding="utf-8")
    done = desk.type(line, "--json", "--trust-root", str(kept))
    assert (done.code, done.problem()["code"]) == (1, "cli.other-trust-root")
    assert accepted(desk) == before
