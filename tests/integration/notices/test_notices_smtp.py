"""A real mail server: what every server promises, TLS, passwords, and a whole outbox."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from escrow.ground.mail_settings import MailSettings
from escrow.notices.smtp import SmtpServer
from tests.conformance.test_mail_server import READER, MailServerConformance, letter_to
from tests.integration.notices.mail_host import PASSWORD, USER, MailHost
from tests.integration.notices.trial_ca import TrialCa
from tests.rooms.notices.conftest import OutboxWorld

Settings = Callable[..., MailSettings]


class TestSmtp(MailServerConformance):
    @pytest.fixture
    def server(self, host: MailHost, settings: Settings) -> SmtpServer:
        self.host = host
        return SmtpServer(settings())

    @contextmanager
    def busy(self, server: SmtpServer) -> Iterator[None]:
        with self.host.told("busy"):
            yield

    @contextmanager
    def away(self, server: SmtpServer) -> Iterator[None]:
        self.host.stop()
        yield
        self.host.start()

    def received(self, server: SmtpServer) -> list[bytes]:
        return self.host.contents()


def test_starttls_under_a_ca_that_is_named(host: MailHost, settings: Settings) -> None:
    assert SmtpServer(settings()).deliver(letter_to(READER)).result == "accepted"
    assert "X=TLS1." in host.log()


def test_tls_from_the_first_byte(host: MailHost, settings: Settings) -> None:
    server = SmtpServer(settings(tls="tls", port=host.tls_port))
    assert server.deliver(letter_to(READER)).result == "accepted"
    assert "X=TLS1." in host.log()


def test_a_certificate_of_another_ca_gets_no_letter(
    host: MailHost, settings: Settings, tmp_path: Path
) -> None:
    for ca_file in (TrialCa(tmp_path).file, None):
        for way, port in (("starttls", host.port), ("tls", host.tls_port)):
            server = SmtpServer(settings(ca_file=ca_file, tls=way, port=port))
            outcome = server.deliver(letter_to(READER))
            assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
    assert host.contents() == []


def test_a_certificate_for_another_name_gets_no_letter(host: MailHost, settings: Settings) -> None:
    outcome = SmtpServer(settings(host="localhost")).deliver(letter_to(READER))
    assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
    assert host.contents() == []


def test_a_server_that_offers_no_tls_gets_no_letter(settings: Settings) -> None:
    plain = MailHost(offers_tls=False)
    try:
        plain.start()
        outcome = SmtpServer(settings(port=plain.port)).deliver(letter_to(READER))
        assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
        assert plain.contents() == []
        clear = settings(port=plain.port, tls="none")
        assert SmtpServer(clear).deliver(letter_to(READER)).result == "accepted"
    finally:
        plain.close()


@pytest.fixture
def known(host: MailHost, settings: Settings, tmp_path: Path) -> Settings:
    def make(password: str) -> MailSettings:
        file = tmp_path / "password"
        file.write_text(password)
        return settings(username=USER, password_file=file)

    return make


def test_a_password_from_a_file(host: MailHost, known: Settings) -> None:
    with host.told("known-only"):
        outcome = SmtpServer(known(f"{PASSWORD}\n")).deliver(letter_to(READER))
    assert outcome.result == "accepted"
    assert f"A=plain:{USER}" in host.log()


@pytest.mark.parametrize(("password", "answer"), [("wrong", "535"), ("pässword", "no-answer")])
def test_a_wrong_password_is_the_servers_trouble_and_not_the_readers(
    host: MailHost, known: Settings, caplog, password: str, answer: str
) -> None:
    outcome = SmtpServer(known(password)).deliver(letter_to(READER))
    assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
    assert outcome.answer.startswith(answer)
    assert password not in caplog.text


def test_a_password_that_is_exchanged_counts_from_the_next_letter(
    host: MailHost, known: Settings
) -> None:
    server = SmtpServer(known("wrong"))
    assert server.deliver(letter_to(READER)).result == "deferred"
    known(PASSWORD)
    assert server.deliver(letter_to(READER)).result == "accepted"


def test_a_missing_password_is_the_servers_trouble(settings: Settings, tmp_path: Path) -> None:
    mail = settings(username=USER, password_file=tmp_path / "none")
    outcome = SmtpServer(mail).deliver(letter_to(READER))
    assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)


def test_a_sender_that_is_not_let_in_is_the_servers_trouble(
    host: MailHost, settings: Settings
) -> None:
    with host.told("known-only"):
        outcome = SmtpServer(settings()).deliver(letter_to(READER))
    assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
    assert outcome.answer == "550 5.7.0"


def test_a_letter_that_is_refused_whole_is_refused(host: MailHost, settings: Settings) -> None:
    with host.told("picky"):
        outcome = SmtpServer(settings()).deliver(letter_to(READER))
    assert (outcome.result, outcome.answer) == ("refused", "550 5.7.1")


def test_a_server_that_says_nothing_is_left(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mail = settings(port=silent.getsockname()[1])
        outcome = SmtpServer(mail, timeout_seconds=0.2).deliver(letter_to(READER))
    assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)


def real(world: OutboxWorld, mail: MailSettings) -> None:
    world.sender = replace(world.sender, server=SmtpServer(mail))


def test_an_outbox_reaches_the_mailbox(
    world: OutboxWorld, host: MailHost, settings: Settings
) -> None:
    real(world, settings())
    notice_id = world.post()
    assert world.send() == 1
    (message,) = host.messages()
    assert message["Message-ID"] == world.row(notice_id).message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Silence until then" in message.get_content()
    assert world.event_types() == ["posted", "sent"]


def test_a_server_that_is_away_and_comes_back_gets_everything(
    world: OutboxWorld, host: MailHost, settings: Settings
) -> None:
    real(world, settings())
    posted = world.post_many("a@acme.example", "b@acme.example", "c@acme.example")
    host.stop()
    assert world.send() == 0
    host.start()
    assert world.send(after=timedelta(minutes=1)) == 3
    assert {world.state(one) for one in posted} == {"sent"}
    assert len(host.messages()) == 3


def test_a_server_that_says_4xx_and_then_accepts(
    world: OutboxWorld, host: MailHost, settings: Settings
) -> None:
    real(world, settings())
    notice_id = world.post()
    with host.told("busy"):
        assert world.send() == 0
    assert world.row(notice_id).answer == "451 4.3.2"
    assert world.send() == 0, "not before its pause has ended"
    assert world.send(after=timedelta(minutes=1)) == 1
    assert len(host.messages()) == 1


def test_a_5xx_fails_that_notice_and_sends_the_others(
    world: OutboxWorld, host: MailHost, settings: Settings
) -> None:
    real(world, settings())
    refused, good = world.post_many("nobody@acme.example", "ada@acme.example")
    assert world.send() == 1
    assert (world.state(refused), world.state(good)) == ("failed", "sent")
    assert world.row(refused).answer == "550 5.1.1"
    assert len(host.messages()) == 1
