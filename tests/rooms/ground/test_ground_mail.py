"""The mail server's settings and what may stand as an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from escrow.ground.mail_settings import NO_MAIL_SERVER, MailIncomplete, MailPasswordInClear
from escrow.ground.mailboxes import mailbox_of
from escrow.ground.settings import BadSetting, Settings, read_settings

SERVER = {"ESCROW_SMTP_HOST": "mail.example.org", "ESCROW_SMTP_FROM": "notices@example.org"}


def read(tmp_path: Path, **variables: str) -> Settings:
    return read_settings({"ESCROW_KEY_MANAGER": "file"} | variables, home_folder=tmp_path, uid=7)


def test_without_a_mail_server_every_start_says_so(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.mail is None
    assert NO_MAIL_SERVER in settings.check_safe()


def test_a_mail_server_is_asked_for_tls_by_default(tmp_path: Path) -> None:
    settings = read(tmp_path, **SERVER)
    assert settings.mail is not None
    assert (settings.mail.tls, settings.mail.port) == ("starttls", 587)
    assert settings.mail.reply_to == settings.mail.sender == "notices@example.org"
    assert NO_MAIL_SERVER not in settings.check_safe()


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_each_way_has_its_port(tmp_path: Path, tls: str, port: int) -> None:
    assert read(tmp_path, **SERVER, ESCROW_SMTP_TLS=tls).smtp_port == port


def test_a_mail_server_without_a_sender_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MailIncomplete):
        read(tmp_path, ESCROW_SMTP_HOST="mail.example.org").check_safe()


@pytest.mark.parametrize(
    "half", [{"ESCROW_SMTP_USERNAME": "u"}, {"ESCROW_SMTP_PASSWORD_FILE": "/etc/password"}]
)
def test_half_a_credential_is_refused(tmp_path: Path, half: dict[str, str]) -> None:
    with pytest.raises(MailIncomplete):
        read(tmp_path, **SERVER, **half).check_safe()


def credential(tmp_path: Path, mode: int) -> dict[str, str]:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(mode)
    return {"ESCROW_SMTP_USERNAME": "escrow", "ESCROW_SMTP_PASSWORD_FILE": str(file)}


def test_a_password_in_clear_is_refused(tmp_path: Path) -> None:
    own = credential(tmp_path, 0o600)
    with pytest.raises(MailPasswordInClear):
        read(tmp_path, **SERVER, **own, ESCROW_SMTP_TLS="none").check_safe()


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_password_that_others_read_is_told(tmp_path: Path, mode: int, is_told: bool) -> None:
    warnings = read(tmp_path, **SERVER, **credential(tmp_path, mode)).check_safe()
    assert any("chmod 600" in one for one in warnings) is is_told


@pytest.mark.parametrize(("host", "is_told"), [("127.0.0.1", False), ("mail.example.org", True)])
def test_mail_in_clear_is_told_unless_it_stays_here(
    tmp_path: Path, host: str, is_told: bool
) -> None:
    clear = SERVER | {"ESCROW_SMTP_HOST": host, "ESCROW_SMTP_TLS": "none"}
    assert any("in clear" in one for one in read(tmp_path, **clear).check_safe()) is is_told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_HOST", "mail.example.org\r\nRCPT TO:<eve@example.org>"),
        ("SMTP_HOST", "mail example"),
        ("SMTP_PORT", "0"),
        ("SMTP_TLS", "maybe"),
        ("SMTP_FROM", "notices@example.org\r\nBcc: eve@example.org"),
        ("SMTP_FROM", "notices@example.org, eve@example.org"),
        ("SMTP_FROM", "Escrow <notices@example.org>"),
        ("SMTP_REPLY_TO", "nobody"),
        ("SMTP_USERNAME", "escrow\rx"),
        ("SMTP_PASSWORD_FILE", "password.txt"),
        ("PUBLIC_URL", "https://escrow.example.org/\rx"),
    ],
)
def test_a_value_that_would_be_another_line_is_refused(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(BadSetting):
        read(tmp_path, **{f"ESCROW_{name}": value})


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("ada@acme.example", "ada@acme.example"),
        ("ada+escrow@mail.acme.example", "ada+escrow@mail.acme.example"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_an_address_in_its_form_on_the_wire(text: str, mailbox: str) -> None:
    assert mailbox_of(text) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@acme.example",
        "ada@",
        "ada@localhost",
        "ada@@acme.example",
        "ada@acme.example\n",
        "ada@acme.example\r\nBcc: eve@example.org",
        "ada@acme.example,eve@example.org",
        "<ada@acme.example>",
        '"a b"@acme.example',
        "ada eve@acme.example",
        ".ada@acme.example",
        "ada..eve@acme.example",
        "ada@-acme.example",
        "ada@acme..example",
        "ádá@acme.example",
        f"{'a' * 65}@acme.example",
        f"ada@{'a' * 64}.example",
        f"ada@{'a.' * 130}example",
    ],
)
def test_what_is_no_single_plain_address_stands_in_no_mail(text: str) -> None:
    assert mailbox_of(text) is None
