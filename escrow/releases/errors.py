"""What can go wrong with a release request, one class for each question.

::

    InvalidInput  RequestMalformed, PaperMalformed, ConditionUnknown, RecipientNotPinned,
                  EvidenceMissing, ServiceDayWrong, OtherThanOffered, ShareWrong
    Refused       RequestKnown, StepNotPossible, NotApproved, ObjectionStands, AgreementChanged,
                  RecipientChanged, TooFewConfirmations, ConfirmedAlready, ConfirmationOutdated,
                  NotReleased
    NotPermitted  WrongDoer
    NotFound      RequestUnknown, PaperUnknown, FileUnknown
    Tampered      HistoryBroken, OfferBroken
"""

from __future__ import annotations

from agreements.requests import State
from escrow.ground.errors import InvalidInput, NotFound, NotPermitted, Refused, Tampered


class RequestMalformed(InvalidInput):
    """A signed request or act on one lacks what it must say, or says more."""

    code = "releases.malformed"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The act does not say what it must: {what[:120]}.",
            "Make it with 'escrow request' of this version, and send it as it was signed.",
        )


class PaperMalformed(InvalidInput):
    """A paper sent along is not the one that was signed for, or too large."""

    code = "releases.paper-malformed"


class ConditionUnknown(InvalidInput):
    """The agreement has no such release condition."""

    code = "releases.condition-unknown"

    def __init__(self, named: str, known: list[str]) -> None:
        super().__init__(
            f"The agreement has no release condition {named[:60]!r}.",
            f"Name one of: {', '.join(known)}.",
        )


class RecipientNotPinned(InvalidInput):
    """A release is asked for to a key that the agreement does not pin for this beneficiary."""

    code = "releases.recipient-not-pinned"

    def __init__(self) -> None:
        super().__init__(
            "The recipient is no proven recipient of this beneficiary in the agreement in force.",
            "Name the primary or the recovery recipient of the agreement; to use another key, "
            "change it first, and wait until the cooling-off is over.",
        )


class EvidenceMissing(InvalidInput):
    """The request brings none of the kinds of evidence that the condition asks for."""

    code = "releases.evidence-missing"

    def __init__(self, kinds: tuple[str, ...]) -> None:
        super().__init__(
            "The request brings no evidence of a kind that the condition asks for.",
            f"Add at least one paper of: {', '.join(kinds)}.",
        )


class ServiceDayWrong(InvalidInput):
    """The day of service lies before the request, or in the future."""

    code = "releases.service-day-wrong"

    def __init__(self) -> None:
        super().__init__(
            "Service is stated for a day before the request or after today.",
            "State the day on which the vendor really had the notice.",
        )


class OtherThanOffered(InvalidInput):
    """A confirmation says something else than what is to be confirmed."""

    code = "releases.other-than-offered"

    def __init__(self, field: str) -> None:
        super().__init__(
            f"The confirmation's {field[:40]!r} is not that of the request as it stands.",
            "Run 'escrow confirm' again: it shows and signs what stands now.",
        )


class ShareWrong(InvalidInput):
    """A share does not belong to the public key that the ceremony logged for it."""

    code = "releases.share-wrong"

    def __init__(self) -> None:
        super().__init__(
            "The share is not the one that was dealt to this agent.",
            "Use the identity and share file of the newest ceremony of this agreement.",
        )


class RequestKnown(Refused):
    """A request of this id was filed before."""

    code = "releases.request-known"

    def __init__(self) -> None:
        super().__init__(
            "A request of this id is on file already.", "Look at it, or file one with a new id."
        )


class StepNotPossible(Refused):
    """The request is not in a state in which this can be done."""

    code = "releases.step-not-possible"

    def __init__(self, step: str, state: State) -> None:
        super().__init__(
            f"'{step}' is not possible for a request that is {state}.",
            "Look at the request: it says what happens next, when, and by whom.",
        )


class NotApproved(Refused):
    """Neither consent nor silence after proven service approves the request yet."""

    code = "releases.not-approved"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The request is not approved: {why}.",
            "Wait for the end of the period, or for the vendor's consent.",
        )


class ObjectionStands(Refused):
    """Timely contrary instructions of the vendor stand against the release."""

    code = "releases.objection-stands"

    def __init__(self) -> None:
        super().__init__(
            "The vendor's contrary instructions stand against this release.",
            "The vendor may consent, or the resolver that the agreement names decides.",
        )


class AgreementChanged(Refused):
    """Another version of the agreement is in force than the one that the request is under."""

    code = "releases.agreement-changed"

    def __init__(self) -> None:
        super().__init__(
            "The agreement changed after the request was filed.",
            "File the request anew, under the version that is in force.",
        )


class RecipientChanged(Refused):
    """The beneficiary changed a recipient after the request was filed."""

    code = "releases.recipient-changed"

    def __init__(self) -> None:
        super().__init__(
            "The beneficiary changed a recipient after the request was filed.",
            "File the request anew, to a recipient that counts then; a new one counts once its "
            "cooling-off is over.",
        )


class TooFewConfirmations(Refused):
    """Fewer than k agents have confirmed."""

    code = "releases.too-few-confirmations"

    def __init__(self, there: int, needed: int) -> None:
        super().__init__(
            f"{there} of {needed} confirmations are there.", "Wait for the other agents."
        )


class ConfirmedAlready(Refused):
    """This agent has confirmed this request in this round."""

    code = "releases.confirmed-already"

    def __init__(self) -> None:
        super().__init__(
            "This agent has confirmed this request already.", "Nothing is left to do for him."
        )


class ConfirmationOutdated(Refused):
    """A confirmation expired, or was made before the present round was opened."""

    code = "releases.confirmation-outdated"

    def __init__(self) -> None:
        super().__init__(
            "The confirmation is expired, or belongs to an earlier round.",
            "Run 'escrow confirm' again.",
        )


class NotReleased(Refused):
    """Nothing was released under this request."""

    code = "releases.not-released"

    def __init__(self) -> None:
        super().__init__(
            "Nothing is released under this request.",
            "Look at the request: it says what happens next, when, and by whom.",
        )


class WrongDoer(NotPermitted):
    """An act was signed by somebody to whom it does not belong."""

    code = "releases.wrong-doer"

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"This act is for {wanted} to do.", f"Have it signed by {wanted} of this agreement."
        )


class RequestUnknown(NotFound):
    """No such request, or not yours: the two look the same."""

    code = "releases.request-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such release request.", "Check the id; 'escrow request list' shows yours."
        )


class PaperUnknown(NotFound):
    """The request has no such paper."""

    code = "releases.paper-unknown"

    def __init__(self) -> None:
        super().__init__("The request has no such paper.", "Its page lists the papers by digest.")


class FileUnknown(NotFound):
    """The release has no such file."""

    code = "releases.file-unknown"

    def __init__(self) -> None:
        super().__init__("The release has no such file.", "'escrow release show' lists the files.")


class HistoryBroken(Tampered):
    """An event of a request holds an act that no pinned key of the agreement signed."""

    code = "releases.history-broken"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The history of the request cannot be true: {what[:200]}.",
            "Nothing was opened; the operator has to compare ledger and agreement.",
        )


class OfferBroken(Tampered):
    """What is offered for release does not agree with ledger, receipts or headers."""

    code = "releases.offer-broken"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"What is to be released does not agree with the ledger: {what[:200]}.",
            "Nothing was opened; the operator has to compare database and ledger.",
        )


class ClocksTooFew(Refused):
    """Fewer than two sources of time are left by which a right could be lost."""

    code = "releases.clocks-too-few"

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(
            f"No right is lost by one clock alone; silent: {', '.join(missing)}.",
            "Wait until they speak again; the operator sees in his log who is silent.",
        )
