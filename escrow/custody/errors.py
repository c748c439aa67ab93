"""What can go wrong in a session of the agents, one class for each question.

::

    InvalidInput  AnswerMalformed, AnswerForOther, NothingToAsk, ShareForOtherPurpose
    NotPermitted  NotThisAgents
    Refused       SessionOver, SessionNotOpen, AnswerTaken, TooFewShares, NotAccepted,
                  CanaryWaits
    NotFound      SessionUnknown
    Tampered      SealingKeyNotProven
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotFound, NotPermitted, Refused, Tampered


class AnswerMalformed(InvalidInput):
    """What an agent's client sent is no answer to a session."""

    code = "custody.answer-malformed"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The answer cannot be read: {what}.",
            "Answer with 'escrow ceremony answer' of this service's version.",
        )


class AnswerForOther(InvalidInput):
    """The signed act is about another session, purpose or answer."""

    code = "custody.answer-for-other"

    def __init__(self) -> None:
        super().__init__(
            "What was signed is not this answer to this session.",
            "Fetch the session again and sign what your own client shows.",
        )


class NothingToAsk(InvalidInput):
    """A session was asked for that no agreement can take part in."""

    code = "custody.nothing-to-ask"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The session cannot be held: {why}.",
            "Name agreements whose key set-up counts; 'escrow ceremony custody' shows it.",
        )


class ShareForOtherPurpose(InvalidInput):
    """A file of shares was sealed for another purpose or another session."""

    code = "custody.share-for-other-purpose"

    def __init__(self) -> None:
        super().__init__(
            "The shares were sealed for another purpose, or for another session.",
            "Nothing was opened. Answer this session anew with your own client.",
        )


class NotThisAgents(NotPermitted):
    """An answer holds for a share that was dealt to somebody else."""

    code = "custody.not-this-agents"

    def __init__(self) -> None:
        super().__init__(
            "The answer speaks for a share that was not dealt to the one who signed it.",
            "Each agent answers for his own shares alone.",
        )


class SessionOver(Refused):
    """The session has ended, or its time has passed."""

    code = "custody.session-over"

    def __init__(self) -> None:
        super().__init__("This session is over.", "Begin another one: 'escrow ceremony drill'.")


class SessionNotOpen(Refused):
    """The keyholder has not opened the session yet."""

    code = "custody.session-not-open"

    def __init__(self) -> None:
        super().__init__("The keyholder has not opened this session yet.", "Try again in a moment.")


class AnswerTaken(Refused):
    """This agent has answered already."""

    code = "custody.answer-taken"

    def __init__(self) -> None:
        super().__init__("This agent has answered this session already.", "Nothing is left to do.")


class TooFewShares(Refused):
    """Fewer than k agents gave their shares, so that nothing can be carried out."""

    code = "custody.too-few-shares"

    def __init__(self, given: int, needed: int) -> None:
        super().__init__(
            f"{given} of {needed} shares were given.",
            "Wait for more agents; everything that was given is kept.",
        )


class NotAccepted(Refused):
    """The text to whose agents the key is to be dealt was not accepted by the parties."""

    code = "custody.text-not-accepted"

    def __init__(self) -> None:
        super().__init__(
            "The parties of the agreement in force have not all accepted the newest text.",
            "Have each sign it: 'escrow agreement accept'.",
        )


class SealingKeyNotProven(Tampered):
    """The ledger does not bear out that a key is the one that the agents hold shares of."""

    code = "custody.sealing-key-not-proven"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The key that was sent is not to be sealed to: {why}.",
            "Seal nothing to it; ask again, and if it stays so tell the agents and the operator.",
        )


class CanaryWaits(Refused):
    """A newer key was dealt, and nobody has shown yet that it opens."""

    code = "custody.canary-waits"

    def __init__(self) -> None:
        super().__init__(
            "A newer sealing key waits for its canary.",
            "Let k agents contribute and one open it first: 'escrow ceremony contribute'.",
        )


class SessionUnknown(NotFound):
    """There is no such session for this asker."""

    code = "custody.session-unknown"

    def __init__(self) -> None:
        super().__init__("There is no such session.", "Check the id.")
