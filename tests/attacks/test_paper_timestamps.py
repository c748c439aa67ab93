"""Somebody who writes the database exchanges the tokens of papers; every reader is served right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.evidence.anchors import Anchors
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.checking import check_document
from escrow.evidence.timestamps import HttpAuthority
from escrow.evidence.timing.stamper import Stamper
from escrow.ground.digests import sha256_hex
from escrow.testing.portal import PortalWorld
from escrow.testing.timestamps import TrialAuthority
from escrow.testing.witnesses import network

ON_SQLITE_ALONE = True


class Stamped:
    """A portal with two deposits whose receipts and reports are stamped."""

    def __init__(self, folder: Path) -> None:
        self.trial = TrialAuthority(folder / "tsa")
        anchors = Anchors(authorities=(self.trial.authority,))
        self.world = PortalWorld(folder / "world", anchors=anchors)
        self.world.set_up()
        self.world.bring_into_force()
        self.deposits = [self.world.deposit(), self.world.deposit({"README": b"Another."})]
        self.world.verify(self.deposits[1])
        self.stamper = Stamper(
            self.world.database, [self.trial.authority], self.world.clock, network(self.trial)
        )
        self.stamper.stamp_waiting()

    def receipt(self, number: int = 0) -> SignedDocument:
        path = f"/deposits/{self.deposits[number]}/receipt"
        return SignedDocument.from_json(self.world.ask("GET", path, "vendor").text)

    def imprint(self, number: int = 0) -> str:
        return sha256_hex(self.receipt(number).leading.signature)

    def put(self, token: bytes) -> None:
        statement = "UPDATE paper_timestamp SET token = ? WHERE imprint = ?"
        self.world.ledger.tamper(statement, token, self._imprint)

    def answer(self) -> tuple[int, str]:
        told = self.world.ask("GET", f"/deposits/{self.deposits[0]}/receipt", "vendor")
        return told.status_code, str(told.json().get("code"))

    @property
    def _imprint(self) -> str:
        if not hasattr(self, "_kept"):
            self._kept = self.imprint()
        return self._kept


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamped]:
    folder = tmp_path_factory.mktemp("stamped")
    (folder / "world").mkdir()
    made = Stamped(folder)
    yield made
    made.world.close()


def test_receipts_and_reports_go_out_stamped(stamped: Stamped) -> None:
    root = stamped.world.rooms.trust_root
    assert check_document(stamped.receipt().to_json(), root).times
    path = f"/deposits/{stamped.deposits[1]}/report"
    report = json.dumps(stamped.world.do("GET", path, "vendor")["document"])
    checked = check_document(report, root)
    assert len(checked.times) == 1
    assert checked.beside
    assert all(one.times for one in checked.beside)


def test_a_token_that_was_exchanged_is_found(stamped: Stamped, tmp_path: Path) -> None:
    (own,) = stamped.receipt().timestamps
    message = stamped.receipt().leading.signature
    others = TrialAuthority(tmp_path / "others", stamped.trial.name)
    with others.serving() as authority:
        forged = HttpAuthority(authority).stamp(message)
    middle = len(own) // 2
    flipped = own[:middle] + bytes([own[middle] ^ 1]) + own[middle + 1 :]
    for token in (stamped.receipt(1).timestamps[0], forged, flipped, b"", own[:-1]):
        stamped.put(token)
        assert stamped.answer() == (500, "evidence.timestamp-wrong")
    stamped.put(own)
    assert stamped.answer()[0] == 200


def test_a_token_noted_for_an_authority_that_nobody_names_only_takes_the_time_away(
    stamped: Stamped,
) -> None:
    stamped.receipt()
    rename = "UPDATE paper_timestamp SET authority = ? WHERE imprint = ?"
    imprint = stamped.imprint()
    stamped.world.ledger.tamper(rename, "nobody", imprint)
    try:
        shown = stamped.receipt()
        assert shown.timestamps == ()
        checked = check_document(shown.to_json(), stamped.world.rooms.trust_root)
        assert any("timestamp" in one for one in checked.could_not_tell)
    finally:
        stamped.world.ledger.tamper(rename, stamped.trial.name, imprint)


def test_a_signature_that_was_changed_while_it_waits_is_never_stamped(
    stamped: Stamped, caplog: pytest.LogCaptureFixture
) -> None:
    stamped.world.ledger.tamper(
        "INSERT INTO untimed_signature VALUES (?, ?, ?)",
        "ab" * 32,
        b"another's",
        "2026-01-01 00:00:00.000000",
    )
    stamped.stamper.stamp_waiting()
    assert "was changed" in caplog.text
    assert stamped.stamper.stamp_waiting() == 0
