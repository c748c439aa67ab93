"""What is typed wrongly, asked on a terminal, or ended half-way."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path

import pytest

from escrow.ground.signatures import SigningKey
from escrow.operations.cli import ending, remote
from escrow.operations.cli.output import exit_code_of, value_text
from escrow.vault import age
from tests.rooms.cli.conftest import Desk, Run
from tests.rooms.cli.lines import Line
from tests.rooms.cli.test_cli_table import TREE

PASSPHRASE = "correct horse"


@pytest.mark.parametrize("path", TREE)
def test_option_that_there_is_not(run: Run, path: str) -> None:
    done = run(*path.split(), "--nonsense", "--json")
    assert (done.code, done.problem()["code"]) == (2, "cli.bad-command")
    assert f"escrow {path} --help" in done.problem()["remedy"]


@pytest.mark.parametrize("path", ["", *sorted({path.split()[0] for path in TREE if " " in path})])
def test_command_that_there_is_not(run: Run, path: str) -> None:
    for words in ([], ["nonsense"]):
        done = run(*path.split(), *words, "--json")
        assert (done.code, done.problem()["code"]) == (2, "cli.bad-command")
        assert "--help" in done.problem()["remedy"]


@pytest.mark.parametrize(
    "words",
    [
        "admin token acme --role vendor --days soon",
        "release fetch req_1 --to x --deposit first",
        "admin member acme --name Ada --email a@b.example",
        "status",
        "status a/b c/d",
        "check",
    ],
)
def test_words_that_do_not_fit(run: Run, words: str) -> None:
    done = run(*words.split(), "--json")
    assert (done.code, done.problem()["code"]) == (2, "cli.bad-command")


@pytest.mark.parametrize("address", ["acme", "acme/", "/ledger", "a/b/c", "", "acme#3"])
def test_address_of_no_product(run: Run, address: str) -> None:
    done = run("status", address, "--json", ESCROW_TOKEN="esc_x")
    assert (done.code, done.problem()["code"]) == (2, "cli.bad-address")


@pytest.mark.parametrize("words", ["admin revoke ../products", "deposit add ../x {data}"])
def test_id_with_a_slash_reaches_no_other_call(desk: Desk, words: str) -> None:
    done = desk.type(Line("operator", words), "--json")
    assert done.code == 2
    assert done.problem()["code"] in (
        "http.404",
        "parties.token-unknown",
        "deposits.deposit-unknown",
    )


def test_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("escrow ")
    assert set(run("--json", "--version").document) == {"version"}


def test_json_flag_may_stand_first_and_is_a_name_after_two_dashes(run: Run, tmp_path: Path) -> None:
    assert isinstance(run("--json", "config", "check").document, list)
    done = run("agreement", "check", "--", "--json")
    assert (done.code, done.out) == (2, "")
    assert "--json cannot be read" in done.err


def test_warnings_are_no_part_of_the_document(run: Run) -> None:
    done = run("config", "check", "--json", ESCROW_KEY_MANAGER="file")
    assert isinstance(done.document, list)
    assert done.err.startswith("warning: ")


@pytest.mark.parametrize(
    "setting",
    [("ESCROW_LISTEN_PORT", "many"), ("ESCROW_NO_SUCH_THING", "1")],
    ids=lambda one: one[0],
)
@pytest.mark.parametrize("words", ["config check", "ledger verify", "ledger fsck"])
def test_setting_that_is_none(run: Run, words: str, setting: tuple[str, str]) -> None:
    done = run(*words.split(), "--json", **dict([setting]))
    assert done.code == 2
    assert done.problem()["code"].startswith("settings.")


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"two lines\nof text", "tschüß".encode()])
def test_token_file_that_holds_no_token(run: Run, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    done = run("product", "list", "--json", ESCROW_TOKEN_FILE=str(path))
    assert done.code == 2
    assert done.problem()["code"] in ("cli.bad-token-file", "cli.no-token")


@pytest.fixture
def locked(tmp_path: Path, desk: Desk) -> Desk:
    """A desk whose keys are under a passphrase."""
    desk.world.cast.signing_key("vendor").write(tmp_path / "ada.pem", PASSPHRASE)
    identity = desk.world.cast.identity("beneficiary_primary")
    age.write_identity_file(tmp_path / "bo.age", identity, age.Passphrase(PASSPHRASE))
    desk.things.update(ada=str(tmp_path / "ada.pem"), bo_age=str(tmp_path / "bo.age"))
    return desk


ACCEPT = Line("vendor", "agreement accept {filed} --key {ada}")
PROVE = Line("beneficiary", "agreement prove-recipient {filed} --key {bo} --identity {bo_age}")


@pytest.mark.parametrize(
    ("line", "code"), [(ACCEPT, "key.bad-file"), (PROVE, "vault.wrong-passphrase")]
)
def test_wrong_passphrase(locked: Desk, tmp_path: Path, line: Line, code: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("battery staple", encoding="utf-8")
    done = locked.type(line, "--json", ESCROW_PASSPHRASE_FILE=str(wrong))
    assert (done.code, done.problem()["code"]) == (2, code)
    assert "battery" not in done.out + done.err


@pytest.mark.parametrize("line", [ACCEPT, PROVE], ids=["signing key", "identity"])
def test_passphrase_that_nobody_can_be_asked_for(locked: Desk, line: Line) -> None:
    done = locked.type(line, "--json", ESCROW_PASSPHRASE_FILE="")
    assert (done.code, done.problem()["code"]) == (2, "cli.no-passphrase")


@pytest.mark.parametrize("file", ["nothing-here", "."])
def test_passphrase_file_that_cannot_be_read(locked: Desk, tmp_path: Path, file: str) -> None:
    done = locked.type(ACCEPT, "--json", ESCROW_PASSPHRASE_FILE=str(tmp_path / file))
    assert (done.code, done.problem()["code"]) == (2, "cli.no-passphrase")


def test_right_passphrase(locked: Desk, tmp_path: Path) -> None:
    right = tmp_path / "right"
    right.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    done = locked.type(ACCEPT, ESCROW_PASSPHRASE_FILE=str(right))
    assert done.code == 0, done.err
    assert locked.world.ledger.trust_root.fingerprint() in done.out


@pytest.mark.parametrize(
    ("raised", "code"), [(EOFError, "cli.input-ended"), (KeyboardInterrupt, "cli.interrupted")]
)
def test_ended_where_a_passphrase_was_asked_for(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    raised: type[BaseException],
    code: str,
) -> None:
    def end(_: str) -> str:
        raise raised

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", end)
    done = run("keys", "new", "ada", "--in", str(tmp_path / "keys"), "--json")
    assert done.problem()["code"] == code
    assert done.code == (130 if raised is KeyboardInterrupt else 2)
    assert list((tmp_path / "keys").iterdir()) == []


def test_keys_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    words = ("keys", "new", "ada", "--in", str(tmp_path), "--json")
    run(*words, ESCROW_PASSPHRASE_FILE=os.devnull)
    first = (tmp_path / "ada.pem").read_bytes()
    done = run(*words, ESCROW_PASSPHRASE_FILE=os.devnull)
    assert (done.code, done.problem()["code"]) == (2, "cli.keys-exist")
    assert (tmp_path / "ada.pem").read_bytes() == first


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".", "x" * 300])
def test_name_of_keys_that_is_no_file_name(run: Run, tmp_path: Path, name: str) -> None:
    done = run(
        "keys",
        "new",
        name,
        "--in",
        str(tmp_path / "keys"),
        "--json",
        ESCROW_PASSPHRASE_FILE=os.devnull,
    )
    assert done.code == 2
    done.problem()
    assert list(tmp_path.rglob("*.pem")) == []


def test_trust_root_of_another_service_is_not_written_over(desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    text = desk.world.ledger.trust_root.to_json()
    other = json.loads(text)
    other["keys"]["log"] = str(SigningKey.generate().public)
    kept.write_text(json.dumps(other), encoding="utf-8")
    done = desk.type(Line("-", f"trust-root --save {kept}"), "--json")
    assert (done.code, done.problem()["code"]) == (1, "cli.other-trust-root")
    assert json.loads(kept.read_text()) == other


def test_document_that_was_changed_does_not_hold(desk: Desk) -> None:
    path = Path(desk.things["receipt"])
    text = path.read_text(encoding="utf-8")
    payload = json.loads(text)["bundle"]["dsseEnvelope"]["payload"]
    path.write_text(text.replace(payload, payload[:-8] + "AAAA" + payload[-4:]), encoding="utf-8")
    done = desk.type(Line("-", "check {receipt} --trust-root {root}"), "--json")
    assert done.code == 1
    done.problem()


def test_what_nobody_foresaw_is_told_with_the_file_of_its_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(remote, "service_url", fail)
    done = run("product", "list", ESCROW_TOKEN="esc_x")
    assert done.code == 2
    assert "Traceback" not in done.err
    (path,) = [word.strip(".") for word in done.err.split() if "escrow-fault-" in word]
    assert "ZeroDivisionError" in Path(f"{path}").read_text(encoding="utf-8")


def test_a_family_tells_a_script_what_is_known() -> None:
    assert exit_code_of(remote.NoToken("A.", "B.")) == 2
    assert exit_code_of(ending.described(json.JSONDecodeError("x", "", 0))) == 2
    assert exit_code_of(ending.described(IsADirectoryError(21, "Is a directory", "x"))) == 2


def test_mapping_is_read_as_words_and_what_is_empty_is_left_out() -> None:
    assert value_text({"served_on": "2026-03-02", "cure_last_day": None}) == "served on 2026-03-02"
