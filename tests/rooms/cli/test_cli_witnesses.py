"""An agent whose trust root names witnesses signs nothing that they do not bear out."""

from dataclasses import replace
from pathlib import Path

from escrow.evidence.anchors import Anchors
from escrow.evidence.trustroot import TrustRoot
from escrow.ledger.cosignatures import Witness
from escrow.testing.ledgers import named_key
from tests.rooms.cli.conftest import Desk
from tests.rooms.cli.lines import LINES

CONFIRM = next(line for line in LINES if line.command == "confirm")


def test_without_a_quorum_of_witnesses_nothing_is_confirmed(desk: Desk) -> None:
    request = desk.things["approved"]
    path = Path(desk.things["root"])
    root = TrustRoot.from_json(path.read_text())
    silent = [
        Witness(name, "http://127.0.0.1:1", named_key(name).public) for name in ("one", "two")
    ]
    path.write_text(replace(root, anchors=Anchors(tuple(silent), 2)).to_json())
    done = desk.type(CONFIRM, "--json")
    assert (done.code, done.problem()["code"]) == (2, "cli.no-quorum")
    assert "silent: one, two" in done.err
    shown = desk.world.do("GET", f"/requests/{request}", "agent_1")
    assert shown["confirmations_given"] == 0
