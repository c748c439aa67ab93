"""A paper that says two things, that no file can hold, or that has no end; and one with two panels.

``escrow check`` answers each with a sentence and the exit code 1 or 2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from escrow.evidence.acts import build_act, sign_act
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.checking import check_document
from escrow.evidence.errors import DocumentMalformed, TrustRootMalformed, TrustRootNotVouched
from escrow.evidence.snapshots import (
    VOUCH_ACT,
    Agents,
    TrustSnapshot,
    Vouched,
    vouch_subject,
)
from escrow.evidence.statements import RECEIPT_TYPE, Stamp, statement
from escrow.evidence.trustroot import TrustRoot
from escrow.operations.cli.ending import run
from escrow.testing.ledgers import LedgerWorld, named_key

AGENTS = tuple(named_key(f"agent-{one}") for one in "abc")
PANEL = Agents(tuple(one.public for one in AGENTS), 2)
STRANGER = named_key("agent of another agreement")


class World:
    """A ledger with one receipt in it, and agents who vouch for its keys."""

    def __init__(self, folder: Path) -> None:
        self.ledger = LedgerWorld(folder)
        self.ledger.grow(3)
        self.root = self.ledger.trust_root
        stamp = Stamp("Trial Escrow", "production", "0.1").to_json()
        predicate = {"v": 1, "service": stamp, "deposit": {"id": "dep_1", "number": 1}}
        self.receipt = self.ledger.issue(statement([("app", "ab" * 32)], RECEIPT_TYPE, predicate))

    def vouched(self, agreement: str, *agents: Any) -> Vouched:
        subject, now = vouch_subject(agreement, self.root.sha256()), self.ledger.clock.now()
        acts = (build_act(VOUCH_ACT, subject, one.public, now) for one in agents)
        return Vouched(
            agreement, tuple(sign_act(act, one) for act, one in zip(acts, agents, strict=True))
        )

    def paper(self, *vouched: Vouched) -> SignedDocument:
        return self.receipt.with_snapshot(TrustSnapshot(self.root, vouched))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    made = World(tmp_path_factory.mktemp("papers"))
    yield made
    made.ledger.close()


def _changed(document: SignedDocument, change: Callable[[Any], None]) -> str:
    value = json.loads(document.to_json())
    change(value)
    return json.dumps(value)


def test_a_member_that_stands_there_twice(world) -> None:
    text = world.paper(world.vouched("agr_1", *AGENTS)).to_json()
    twice = [
        '{"bundle": {"payload": "of another document"},' + text.partition("{")[2],
        text.replace('"index": ', '"index": 0, "index": ', 1),
        text.replace('"service": ', '"service": "Other", "service": ', 1),
    ]
    assert check_document(text, world.root, [PANEL])
    for one in twice:
        with pytest.raises(DocumentMalformed):
            check_document(one, world.root, [PANEL])
    root = world.root.to_json().replace('"service"', '"service": "Other", "service"', 1)
    with pytest.raises(TrustRootMalformed):
        TrustRoot.from_json(root)


HALF = "\ud800"


def test_half_a_character(world) -> None:
    paper = world.paper(world.vouched("agr_1", *AGENTS))

    def in_type(value: Any) -> None:
        value["bundle"]["dsseEnvelope"]["payloadType"] = HALF

    def in_root(value: Any) -> None:
        value["trustRoot"]["trustRoot"]["service"] = HALF

    def in_note(value: Any) -> None:
        value["ledger"]["checkpoint"] += f"— {HALF} AAAAAAAA\n"

    for change in (in_type, in_root, in_note):
        for known in ([], [PANEL]):
            with pytest.raises(DocumentMalformed):
                check_document(_changed(paper, change), world.root, known)
    root = json.dumps({**json.loads(world.root.to_json()), "service": HALF})
    with pytest.raises(TrustRootMalformed):
        TrustRoot.from_json(root)


def test_an_agent_of_two_agreements_is_counted_under_each_by_itself(world) -> None:
    """A vendor's paper carries the acts under all his agreements; some people serve in two."""
    shared = world.vouched("agr_0", AGENTS[0], STRANGER)
    whole = world.paper(shared, world.vouched("agr_1", *AGENTS[:2])).to_json()
    assert check_document(whole, None, [PANEL]).believed.vouched[0].agreement_id == "agr_1"
    for split in (
        (shared, world.vouched("agr_1", AGENTS[1])),
        (world.vouched("agr_0", AGENTS[0]), world.vouched("agr_1", AGENTS[1])),
    ):
        with pytest.raises(TrustRootNotVouched):
            check_document(world.paper(*split).to_json(), None, [PANEL])


def test_the_command_ends_each_with_a_sentence(world, tmp_path, capsys) -> None:
    root = tmp_path / "root.json"
    root.write_text(world.root.to_json(), encoding="utf-8")
    paper, other = world.receipt.to_json(), tmp_path / "paper.json"
    endless = Path("/dev/zero")
    for text in ("[" * 200_000, '{"a":' * 200_000, "1" * 6_000, paper.replace("{", "{{", 1), "﻿"):
        other.write_text(text, encoding="utf-8")
        assert run(["check", str(other), "--trust-root", str(root)]) in (1, 2)
        assert "Traceback" not in capsys.readouterr().err
    assert run(["check", str(endless), "--trust-root", str(root)]) in (1, 2)
    assert "too long" in capsys.readouterr().err
    other.write_text(paper, encoding="utf-8")
    assert run(["check", str(other), "--trust-root", str(root)]) == 0
