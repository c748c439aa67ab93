"""What every mail server promises the sender; each implementation inherits the suite."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from escrow.notices.delivery import MailServer
from escrow.notices.letters import Letter
from escrow.testing.mail import PostOffice

SENDER, READER, UNKNOWN = "notices@escrow.example", "ada@acme.example", "nobody@acme.example"

# A line that begins with a dot, and one that would end the letter: neither may be lost.
CONTENT = b"From: notices@escrow.example\r\nSubject: Trial\r\n\r\nOne.\r\n.\r\n..two\r\n"


def letter_to(recipient: str) -> Letter:
    return Letter(SENDER, recipient, CONTENT)


class MailServerConformance:
    @abstractmethod
    @contextmanager
    def busy(self, server: MailServer) -> Iterator[None]: ...

    @abstractmethod
    @contextmanager
    def away(self, server: MailServer) -> Iterator[None]: ...

    @abstractmethod
    def received(self, server: MailServer) -> list[bytes]: ...

    def test_a_letter_that_is_accepted_is_there(self, server: MailServer) -> None:
        outcome = server.deliver(letter_to(READER))
        assert outcome.result == "accepted"
        assert outcome.answer.startswith("250")
        (content,) = self.received(server)
        assert content.replace(b"\r\n", b"\n").endswith(CONTENT.replace(b"\r\n", b"\n"))

    def test_a_reader_that_there_is_not_is_refused(self, server: MailServer) -> None:
        outcome = server.deliver(letter_to(UNKNOWN))
        assert (outcome.result, outcome.is_server_trouble) == ("refused", False)
        assert outcome.answer == "550 5.1.1"
        assert server.deliver(letter_to(READER)).result == "accepted"

    def test_a_busy_server_defers_and_takes_it_later(self, server: MailServer) -> None:
        with self.busy(server):
            outcome = server.deliver(letter_to(READER))
        assert (outcome.result, outcome.is_server_trouble) == ("deferred", False)
        assert outcome.answer == "451 4.3.2"
        assert server.deliver(letter_to(READER)).result == "accepted"

    def test_a_server_that_is_away_is_in_trouble_and_comes_back(self, server: MailServer) -> None:
        with self.away(server):
            outcome = server.deliver(letter_to(READER))
        assert (outcome.result, outcome.is_server_trouble) == ("deferred", True)
        assert outcome.answer == "no-answer"
        assert server.deliver(letter_to(READER)).result == "accepted"

    def test_each_letter_is_one_mail(self, server: MailServer) -> None:
        for _ in range(3):
            server.deliver(letter_to(READER))
        assert len(self.received(server)) == 3


class TestPostOffice(MailServerConformance):
    @pytest.fixture
    def server(self) -> PostOffice:
        office = PostOffice()
        office.unknown = {UNKNOWN}
        return office

    @contextmanager
    def busy(self, server: PostOffice) -> Iterator[None]:
        server.is_busy = True
        yield
        server.is_busy = False

    @contextmanager
    def away(self, server: PostOffice) -> Iterator[None]:
        server.is_away = True
        yield
        server.is_away = False

    def received(self, server: PostOffice) -> list[bytes]:
        return [letter.content for letter in server.letters]
