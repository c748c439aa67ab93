"""A vendor at the command line who seals with stock age: key, upload, receipt."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from escrow.ground.identifiers import DepositId
from escrow.operations.cli.sealed_files import NotWhatWasSealed, check_sealed_file
from escrow.testing.custody import CustodyWorld
from tests.programs import sid_program
from tests.rooms.cli.conftest import Desk, Run
from tests.rooms.cli.lines import Line

ON_SQLITE_ALONE = True


@pytest.fixture
def desk(custody_world: CustodyWorld, tmp_path: Path, run: Run, monkeypatch) -> Desk:
    from escrow.ground.clock import SystemClock

    monkeypatch.setattr(SystemClock, "now", lambda _: custody_world.clock.now())
    return Desk(custody_world, tmp_path / "desk", run)


def seal(desk: Desk, folder: Path, content: bytes = b"a tar\n" * 50_000) -> Path:
    """Do what the README says: print the key, and run stock age over a file."""
    printed = desk.type(Line("vendor", "deposit sealing-key {agreement} --trust-root {root}"))
    assert printed.code == 0 and "Epoch 1" in printed.err
    key, tar = folder / "key.txt", folder / "source.tar"
    key.write_text(printed.out)
    tar.write_bytes(content)
    sealed = folder / "source.tar.age"
    age = str(sid_program("age"))
    subprocess.run([age, "-R", str(key), "-o", str(sealed), str(tar)], check=True)
    return sealed


def deposit(desk: Desk, sealed: Path) -> str:
    draft = str(desk.world.draft())
    words = f"deposit add {draft} {sealed} --kind source --name core"
    added = desk.type(Line("vendor", words + " --client-sealed {agreement} --epoch 1"), "--json")
    assert added.code == 0, added.err
    assert "Received, not verifiable" in added.err
    assert desk.type(Line("vendor", f"deposit finish {draft}"), "--json").code == 0
    return draft


def test_the_lines_of_the_readme_make_a_client_sealed_deposit(desk: Desk, tmp_path: Path) -> None:
    draft = deposit(desk, seal(desk, tmp_path))
    [part] = desk.world.do("GET", f"/deposits/{draft}", "vendor")["parts"]
    assert (part["name"], part["media"]) == ("core", "tar")
    assert (part["sealing"], part["epoch"]) == ("client-sealed", 1)


def test_his_receipt_is_of_exactly_his_file(desk: Desk, tmp_path: Path) -> None:
    sealed = seal(desk, tmp_path)
    draft = deposit(desk, sealed)
    receipt = tmp_path / "receipt.json"
    receipt.write_text(desk.world.ask("GET", f"/deposits/{draft}/receipt", "vendor").text)
    words = f"check {receipt} --trust-root {{root}} --sealed "
    assert desk.type(Line("-", words + str(sealed)), "--json").code == 0
    (tmp_path / "again").mkdir()
    other = seal(desk, tmp_path / "again")
    done = desk.type(Line("-", words + str(other)), "--json")
    assert (done.code, done.problem()["code"]) == (1, "cli.not-what-was-sealed")


def test_the_portal_passes_on_another_header(desk: Desk, tmp_path: Path) -> None:
    """The event names the header that the keyholder wrapped; the vendor's file has his own."""
    sealed = seal(desk, tmp_path)
    draft = deposit(desk, sealed)
    with desk.world.database.reading() as session:
        from escrow.deposits import records

        [row] = records.parts_of(session, DepositId(draft))
    named = {"header_sha256": "0" * 64, "epoch": 1, "agreement_id": "agr_1"}
    part = {"payload_sha256": row.payload_sha256, "client_sealed": named}
    with pytest.raises(NotWhatWasSealed):
        check_sealed_file({"parts": [part]}, sealed)


@pytest.mark.parametrize("content", [b"", b"PK", b"age-encryption.org/v1\n-> scrypt a b\n"])
def test_a_file_that_is_not_sealed_so_is_refused_before_it_is_sent(
    desk: Desk, tmp_path: Path, content: bytes
) -> None:
    wrong = tmp_path / "source.tar.age"
    wrong.write_bytes(content)
    words = f"deposit add dep_none {wrong} --kind source --client-sealed"
    done = desk.type(Line("vendor", words + " {agreement}"), "--json")
    assert (done.code, done.problem()["code"]) == (1, "vault.not-client-sealed")


def test_a_folder_cannot_be_client_sealed(desk: Desk, tmp_path: Path) -> None:
    words = f"deposit add dep_none {tmp_path} --kind source --client-sealed"
    done = desk.type(Line("vendor", words + " {agreement}"), "--json")
    assert (done.code, done.problem()["code"]) == (2, "cli.bad-material")
