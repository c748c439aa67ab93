"""What verification raises on purpose.

::

    Refused      ActOutOfTurn            an examination cannot do this in its state
                 TakenOver               another attempt works on it, or has concluded it
    NotFound     NoSuchDeposit           a job names none that is sealed
                 ReportNotFound          no report for this reader
                 LogNotFound             no live log (never begun, or already sealed)
    InvalidInput LogOffsetUnknown        a reader resumes at a place that the log does not have
    Unavailable  HeadersNotWritten       the lasting headers are not there yet
                 ExaminationInterrupted  the runner could not finish; tried again
                 DocumentsKeyChanged     in the middle of signing; tried again
                 ProofsNotReady          the ledger has not taken the reports in yet
    Tampered     KeysDoNotFit            a file key is not one, or is for another part

A trial build that fails is a finding and no error.
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotFound, Refused, Tampered, Unavailable


class ActOutOfTurn(Refused):
    """An examination was asked for an act that its state does not allow."""

    code = "verification.act-out-of-turn"

    def __init__(self, act: str, state: str) -> None:
        super().__init__(
            f"An examination that is '{state}' cannot '{act}'.",
            "Read the examination's state again; somebody else may have moved it on.",
        )


class TakenOver(Refused):
    """This attempt was taken for dead, and another has the examination now."""

    code = "verification.taken-over"

    def __init__(self) -> None:
        super().__init__(
            "Another attempt has taken over this examination.",
            "Nothing to do: the other one brings it to its end.",
        )


class ReportNotFound(NotFound):
    """There is no report of this deposit for this reader, or not yet."""

    code = "verification.report-not-found"

    def __init__(self) -> None:
        super().__init__(
            "There is no verification report of this deposit for you.",
            "Wait until the deposit is verified; 'escrow status' shows how far it is.",
        )


class LogNotFound(NotFound):
    """The live log is not there: the trial build has not begun, or its log is sealed."""

    code = "verification.log-not-found"

    def __init__(self) -> None:
        super().__init__(
            "There is no live log of this deposit.",
            "Before the trial build there is none yet; after it the sealed log is served.",
        )


class LogOffsetUnknown(InvalidInput):
    """A reader resumes behind the end of the log."""

    code = "verification.log-offset-unknown"

    def __init__(self, offset: int) -> None:
        super().__init__(
            f"The log has no byte {offset}.",
            "Start again without an offset; the log was begun anew.",
        )


class HeadersNotWritten(Unavailable):
    """The lasting headers of a deposit are not written yet, so it may not be opened."""

    code = "verification.headers-not-written"

    def __init__(self) -> None:
        super().__init__(
            "The deposit's lasting headers are not written yet.",
            "Nothing to do: the examination begins as soon as they are.",
        )


class ExaminationInterrupted(Unavailable):
    """The runner could not carry a trial build through; no verdict follows from it."""

    code = "verification.examination-interrupted"

    def __init__(self) -> None:
        super().__init__(
            "The trial build stopped for a reason of ours.",
            "Nothing to do: it is tried again, and the operator is told.",
        )


class ProofsNotReady(Unavailable):
    """The ledger has not taken the reports in yet."""

    code = "verification.proofs-not-ready"

    def __init__(self) -> None:
        super().__init__(
            "The ledger has not taken the reports of an examination in yet.",
            "Nothing to do: it is asked again.",
        )


class NoSuchDeposit(NotFound):
    """A job names a deposit that is not there, or not sealed."""

    code = "verification.no-such-deposit"

    def __init__(self, deposit_id: str) -> None:
        super().__init__(
            f"No sealed deposit is called {deposit_id[:60]!r}.",
            "Check the id; a draft is not verified.",
        )


class DocumentsKeyChanged(Unavailable):
    """The documents key of a product was changed while a report was signed."""

    code = "verification.documents-key-changed"

    def __init__(self) -> None:
        super().__init__(
            "The documents key of a product was changed while its report was signed.",
            "Nothing to do: the report is made again.",
        )


class KeysDoNotFit(Tampered):
    """What the keyholder handed out is no file key for exactly the parts of this deposit."""

    code = "verification.keys-do-not-fit"

    def __init__(self) -> None:
        super().__init__(
            "The file keys that were handed out do not fit the parts of this deposit.",
            "Stop verifying, and compare the deposit's parts with the ledger.",
        )


class FirstReportUnproven(Tampered):
    """The report that a second worker is asked to confirm is not one that another worker logged."""

    code = "verification.first-report-unproven"

    def __init__(self, examination_id: str) -> None:
        super().__init__(
            f"The ledger bears out no report of another worker on {examination_id[:60]!r}.",
            "Nothing was confirmed; compare database and ledger ('escrow ledger verify').",
        )
