"""What can go wrong with an ending, one class for each question.

::

    InvalidInput  EndingMalformed
    Refused       EndingKnown, EndingStepNotPossible, HoldStands, RequestOpen, LastBuildable,
                  EndingTooEarly, BeneficiaryNotServed, TooFewWords, RetentionKeeps,
                  BackupHorizonUnknown, DepositNotComplete, NotDestroyed, WordOutdated,
                  StillMember
    NotPermitted  WrongEndingDoer
    NotFound      EndingUnknown
    Tampered      EndingHistoryBroken, ValueRewritten
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotFound, NotPermitted, Refused, Tampered


class EndingMalformed(InvalidInput):
    """A signed act on an ending lacks what it must say, or says more."""

    code = "endings.malformed"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The act does not say what it must: {what[:120]}.",
            "Make it with 'escrow' of this version, and send it as it was signed.",
        )


class EndingKnown(Refused):
    """An ending of this id is on file, or one of its kind is open already."""

    code = "endings.known"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"There is {what} already.", "Look at it with 'escrow ending list'; do not file twice."
        )


class EndingStepNotPossible(Refused):
    """The ending is not in a state in which this can be done."""

    code = "endings.step-not-possible"

    def __init__(self, step: str, state: str) -> None:
        super().__init__(
            f"'{step}' is not possible while it is {state}.",
            "Look at it with 'escrow ending show'.",
        )


class HoldStands(Refused):
    """A hold of the agreement, or of another one that the deposit serves, stands."""

    code = "endings.held"

    def __init__(self, hold_id: str) -> None:
        super().__init__(
            f"The hold {hold_id} stands, and outranks every ending.",
            "Have it lifted by whoever placed it; until then nothing is shredded or destroyed.",
        )


class RequestOpen(Refused):
    """A release request is open."""

    code = "endings.request-open"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"The release request {request_id} is open.",
            "Wait until it is released, withdrawn or void; nothing ends while it is open.",
        )


class LastBuildable(Refused):
    """It is the last deposit that serves the beneficiary."""

    code = "endings.last-buildable"

    def __init__(self) -> None:
        super().__init__(
            "It is the last buildable deposit of an agreement.",
            "Deposit a clean one first; when that one was built, withdraw this one.",
        )


class EndingTooEarly(Refused):
    """The period is not over."""

    code = "endings.too-early"

    def __init__(self, until: str) -> None:
        super().__init__(f"The period runs until {until}.", "Wait; it is done by itself then.")


class BeneficiaryNotServed(Refused):
    """A beneficiary was not served."""

    code = "endings.not-served"

    def __init__(self, who: str) -> None:
        super().__init__(
            f"Service on the beneficiary {who} is not proven.",
            "The beneficiary acknowledges it, or an agent states it with its proof.",
        )


class TooFewWords(Refused):
    """Fewer agents than needed have confirmed the destruction."""

    code = "endings.too-few-confirmations"

    def __init__(self, given: int, needed: int) -> None:
        super().__init__(
            f"{given} of {needed} agents have confirmed.",
            "Each agent confirms with 'escrow ending confirm' in his own client.",
        )


class WordOutdated(Refused):
    """An agent signed for a state of the ledger before the grace period had ended."""

    code = "endings.confirmation-outdated"

    def __init__(self) -> None:
        super().__init__(
            "The confirmation was signed before the grace period had ended in the ledger.",
            "Run 'escrow ending confirm' again.",
        )


class RetentionKeeps(Refused):
    """Neither a withdrawal nor retention ends this deposit."""

    code = "endings.retention-keeps"

    def __init__(self) -> None:
        super().__init__(
            "The deposit is kept: young, the last of a level, or without a term that drops it.",
            "Look at the agreement's [endings]; 'escrow admin retention' lists what may go.",
        )


class BackupHorizonUnknown(Refused):
    """Nobody said how long backups live, so no certificate could say it."""

    code = "endings.no-backup-horizon"

    def __init__(self) -> None:
        super().__init__(
            "How long backups of key manager and database are kept is not set.",
            "Set ESCROW_BACKUP_HORIZON_DAYS where the keyholder runs; 0 says that there are none.",
        )


class DepositNotComplete(Refused):
    """The deposit is not sealed and receipted, or gone."""

    code = "endings.deposit-not-complete"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"The deposit is {state}, and cannot be withdrawn now.",
            "Withdraw a deposit that has its receipt; abandon one that is open.",
        )


class StillMember(Refused):
    """The person still belongs to the organisation, or is still to be told something."""

    code = "endings.still-member"

    def __init__(self) -> None:
        super().__init__(
            "The person is a member still, or a notice to him waits.",
            "End the membership first, and wait until every notice was sent or has failed.",
        )


class ValueRewritten(Tampered):
    """A value is not the one that the ledger commits to, nor redacted by an event."""

    code = "endings.value-rewritten"

    def __init__(self, notice_id: str) -> None:
        super().__init__(
            f"The address of notice {notice_id} is not the one that the ledger commits to.",
            "Compare the database with its last backup; only an erasure may take a value away.",
        )


class NotDestroyed(Refused):
    """There is no certificate yet."""

    code = "endings.not-destroyed"

    def __init__(self) -> None:
        super().__init__(
            "Nothing was destroyed under this yet.", "Look at it with 'escrow ending show'."
        )


class WrongEndingDoer(NotPermitted):
    """The act is not signed by somebody who may do this."""

    code = "endings.wrong-doer"

    def __init__(self, who: str) -> None:
        super().__init__(
            f"This is for {who} to sign.",
            "Sign it with the key that the agreement pins for such a person.",
        )


class EndingUnknown(NotFound):
    """There is no such hold, withdrawal or destruction for the asker."""

    code = "endings.unknown"

    def __init__(self) -> None:
        super().__init__("There is no such ending.", "Check the id with 'escrow ending list'.")


class EndingHistoryBroken(Tampered):
    """The events of an ending cannot be true."""

    code = "endings.history-broken"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The ledger's events of an ending cannot be true: {what[:160]}.",
            "Nothing was ended; the operator has to compare database and ledger.",
        )
