"""A mail server that takes letters into a list, and does what real ones do when told to."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP

from escrow.notices.delivery import NO_ANSWER, Outcome, answered
from escrow.notices.letters import Letter


class Killed(BaseException):
    """The process ends here: no handler of the product runs, as none would after SIGKILL."""


class PostOffice:
    """Takes letters; implements ``MailServer``.

    Attributes:
        letters: what was accepted, in order.
        asked: how often a letter was brought.
        is_away: nobody answers.
        is_busy: every recipient is told to come again.
        unknown: recipients that there are not.
        kills_after: the letter is taken, and whoever brought it dies before he hears of it.
    """

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.asked = 0
        self.is_away = False
        self.is_busy = False
        self.unknown: set[str] = set()
        self.kills_after = False

    def deliver(self, letter: Letter) -> Outcome:
        """Take one letter, or not."""
        self.asked += 1
        if self.is_away:
            return Outcome("deferred", NO_ANSWER, is_server_trouble=True)
        if letter.recipient in self.unknown:
            return answered(550, b"5.1.1 there is no such mailbox")
        if self.is_busy:
            return answered(451, b"4.3.2 come again")
        self.letters.append(letter)
        if self.kills_after:
            raise Killed
        return answered(250, b"2.0.0 taken")

    def messages(self) -> list[EmailMessage]:
        """Return what was accepted, parsed as a reader's program does."""
        return [parsed(letter.content) for letter in self.letters]


def parsed(content: bytes) -> EmailMessage:
    """Return a message as a reader's program sees it."""
    return BytesParser(policy=SMTP).parsebytes(content)
