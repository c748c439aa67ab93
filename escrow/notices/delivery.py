"""What a mail server may answer, and what follows from it. Values only: nothing is sent here.

Delivery is at least once. Between a server's "accepted" and our note of it lies a moment in which
we may die; the letter is then sent again, with the same Message-ID and the same bytes, so that a
reader's program can tell. That a server accepted a letter says nothing about its having been read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from escrow.notices.letters import Letter

Result = Literal["accepted", "refused", "deferred"]
State = Literal["waiting", "sent", "failed"]

# While one process sends, no other takes the notice; longer than any conversation that still
# makes progress (each answer is waited for half a minute, and there are about ten).
LEASE = timedelta(minutes=15)

# A server that is busy is asked again after a minute, then twice as late each time (RFC 5321,
# section 4.5.4.1), but a mailbox that is full today may be emptied within hours.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=4)

# The same section asks for four to five days before giving up.
GIVE_UP_AFTER = timedelta(days=5)

# Whatever was asked: "I close the line" (RFC 5321, section 3.8), "who are you?" (RFC 4954).
_OF_THE_SERVER = (421, 530)

# Answers of ours where no server gave one.
NO_ANSWER = "no-answer"
UNMAILABLE = "unmailable"
NO_LETTER = "no-letter"


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended.

    Args:
        result: ``accepted`` and ``refused`` are final, ``deferred`` is tried again.
        answer: the server's code with its enhanced one (``550 5.1.1``), or a word of ours. Never
            its text, which may repeat the address.
        is_server_trouble: it is the server and not this letter; others would fare no better.
    """

    result: Result
    answer: str
    is_server_trouble: bool = False


class MailServer(Protocol):
    """Takes letters, one at a time.

    ``deliver`` returns and never raises for what a server, a network or a missing password does.
    It returns ``accepted`` only after the server took responsibility for the letter (a positive
    answer to its end), and ``refused`` only where the same letter would be refused again.
    """

    def deliver(self, letter: Letter) -> Outcome:
        """Hand one letter to the server."""
        ...


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many failed attempts, 1 or more."""
    # Bounded before it is computed: attempts have no bound, and a power of two of them has none.
    factor = 1 << min(attempts - 1, 16)
    return min(FIRST_PAUSE * factor, LONGEST_PAUSE)


def is_given_up(first_attempt_at: datetime, now: datetime) -> bool:
    """Tell whether a letter that was deferred again is not tried any more."""
    return now - first_attempt_at >= GIVE_UP_AFTER


def answered(code: int, text: bytes) -> Outcome:
    """Return the outcome that a server's answer to a recipient or to the letter's end means.

    Args:
        code: three digits; -1 where the line was no answer at all.
        text: the rest of the answer, not trusted.
    """
    answer = answer_of(code, text)
    if 200 <= code <= 299:
        return Outcome("accepted", answer)
    if 500 <= code <= 599 and code not in _OF_THE_SERVER:
        return Outcome("refused", answer)
    return Outcome("deferred", answer, is_server_trouble=code in _OF_THE_SERVER or code < 0)


def answer_of(code: int, text: bytes) -> str:
    """Return an answer's code with its enhanced code (RFC 3463), where it has one."""
    if not 200 <= code <= 599:
        return NO_ANSWER
    enhanced = text.split(b" ", 1)[0]
    parts = enhanced.split(b".")
    is_enhanced = len(parts) == 3 and all(part.isdigit() and len(part) <= 3 for part in parts)
    return f"{code} {enhanced.decode('ascii')}" if is_enhanced else str(code)
