"""What can go wrong at the intake, one class for each question.

::

    InvalidInput  RepositoryUnknownRef… malformed pushes, uploads and product terms
    Refused       no agreement in force, wrong state, a push that breaks the product's terms
    NotFound      products, deposits and uploads that are absent or another's
    Unavailable   the push could not be stored; nothing of it was kept
"""

from __future__ import annotations

from escrow.deposits.drafts import StoredDeposit
from escrow.ground.errors import InvalidInput, NotFound, Refused, Unavailable


class ProductUnknown(NotFound):
    """No such product, or it belongs to somebody else."""

    code = "deposits.product-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such product, or it is not yours.",
            "Check vendor, product and repository in the address; 'escrow status' lists yours.",
        )


class DepositUnknown(NotFound):
    """No such deposit, or it belongs to somebody else."""

    code = "deposits.deposit-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such deposit, or it is not yours.",
            "Check the number or id; 'escrow status' lists the deposits of your products.",
        )


class UploadUnknown(NotFound):
    """No such upload, or it belongs to somebody else."""

    code = "deposits.upload-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such upload, or it is not yours.",
            "Start a new upload for this part with POST.",
        )


class UploadGone(NotFound):
    """The upload once was, and can no longer be continued (the wire says 410)."""

    code = "deposits.upload-gone"


class ProductExists(Refused):
    """The organisation already has a product of this name."""

    code = "deposits.product-exists"


class BadProduct(InvalidInput):
    """The terms of a product contradict themselves or cannot be held."""

    code = "deposits.product-bad"


class NoAgreementInForce(Refused):
    """No agreement covers the product, so a deposit would serve nobody."""

    code = "deposits.agreement-missing"


class DepositNotOpen(Refused):
    """The deposit was sealed or abandoned; its parts are fixed."""

    code = "deposits.deposit-not-open"


class DepositEmpty(Refused):
    """A deposit without a single new part would say nothing new."""

    code = "deposits.deposit-empty"


class DepositBusy(Refused):
    """A part of the deposit is still on its way."""

    code = "deposits.deposit-busy"


class PartExists(Refused):
    """The deposit already has a part of this kind and name."""

    code = "deposits.part-exists"


class PartInvalid(InvalidInput):
    """Kind, name or media of a part is not one that can be taken."""

    code = "deposits.part-invalid"


class AgreementNotNamed(InvalidInput):
    """A client-sealed part serves one agreement, and it is not said which, or none of these."""

    code = "deposits.agreement-not-named"


class SealingKeyNotCurrent(Refused):
    """A part was sealed by its vendor to a key of the agreement that is not the current one."""

    code = "deposits.sealing-key-not-current"


class SealingsMixed(Refused):
    """A deposit is sealed by its vendor for one agreement, or by the service for all."""

    code = "deposits.sealings-mixed"


class DepositUnfinished(Unavailable):
    """The deposit is stored and logged; its headers or its receipt wait for the keyholder.

    Args:
        stored: the deposit that is there.
    """

    code = "deposits.deposit-unfinished"

    def __init__(self, reason: str, remedy: str, stored: StoredDeposit) -> None:
        super().__init__(reason, remedy)
        self.stored = stored


class PushUnsure(Unavailable):
    """Whether the deposit of a push was made could not be found out."""

    code = "deposits.push-unsure"


class PushMalformed(InvalidInput):
    """What came is not a push as git's wire format defines it."""

    code = "deposits.push-malformed"


class PushTooOld(InvalidInput):
    """The client cannot be told whether its push was taken."""

    code = "deposits.push-client-too-old"


class PushTooSlow(Refused):
    """The client was silent for too long, or the push took longer than any should."""

    code = "deposits.push-too-slow"


class PushRefused(Refused):
    """The push is well-formed, and breaks a rule: for each ref the reason.

    Args:
        refs: a short reason for each ref, without line breaks, as git prints it.
    """

    code = "deposits.push-refused"

    def __init__(self, reason: str, remedy: str, refs: dict[str, str]) -> None:
        super().__init__(reason, remedy)
        self.refs = refs


class PushBroken(Unavailable):
    """Git ended without a report on the push; nothing was kept."""

    code = "deposits.push-broken"


class TreeForbidden(InvalidInput):
    """A tree holds what the tree policy forbids; ``problems`` are one sentence for each place."""

    code = "deposits.tree-forbidden"
    problems: tuple[str, ...] = ()


class GitNotConfined(Unavailable):
    """Git cannot run as the user that was set aside for it."""

    code = "deposits.git-not-confined"


class PayloadLetGo(Refused):
    """A client-sealed part has the very bytes of one that was shredded."""

    code = "deposits.payload-let-go"


class GitFailed(Unavailable):
    """A git command of ours failed on a repository that git itself had accepted."""

    code = "deposits.git-failed"


class FetchRefused(Refused):
    """Somebody tried to fetch or clone: a deposit never comes back out of this door."""

    code = "deposits.fetch-refused"


class UploadConflict(Refused):
    """The client's offset is not the one that is stored."""

    code = "deposits.upload-offset-wrong"


class UploadBusy(Refused):
    """Another request is writing to the same upload."""

    code = "deposits.upload-busy"


class UploadsFull(Unavailable):
    """As many uploads are under way as the process can hold in memory."""

    code = "deposits.uploads-full"


class ChecksumWrong(InvalidInput):
    """The bytes that came are not those that the client hashed (the wire says 460)."""

    code = "deposits.upload-checksum-wrong"


class ChecksumUnknown(InvalidInput):
    """The checksum's algorithm or form is not one that is offered (the wire says 400)."""

    code = "deposits.upload-checksum-unknown"


class UploadTooLarge(InvalidInput):
    """More bytes than announced or allowed (the wire says 413)."""

    code = "deposits.upload-too-large"


class UploadMalformed(InvalidInput):
    """A header that the upload protocol asks for is missing or unreadable."""

    code = "deposits.upload-malformed"


class UploadWrongType(InvalidInput):
    """A piece came with another content type than the protocol's (the wire says 415)."""

    code = "deposits.upload-wrong-type"
