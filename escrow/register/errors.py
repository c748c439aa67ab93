"""What can go wrong with the register, one class for each question.

::

    InvalidInput  AgreementTextInvalid, OrganisationUnknown, ProductUnknown, AgentUnknown,
                  RecipientUnusable, ActSignatureWrong, ActForOther, ActTimeImplausible,
                  CanarySecretWrong, ContributorsWrong, RecipientInUse
    Refused       NothingChanged, VendorChanged, VersionSuperseded, ActTaken, CeremonyNotHeld,
                  AgreementEnded, RecipientChangeWaits
    NotPermitted  FilerNoParty, SignerNotPinned, SignerInOtherRole
    NotFound      AgreementUnknown, CanaryUnknown, RecipientChangeUnknown
    Tampered      AgreementTextTampered, ChangeBroken
"""

from __future__ import annotations

from collections.abc import Sequence

from agreements.errors import AgreementInvalid, Problem
from escrow.ground.errors import InvalidInput, NotFound, NotPermitted, Refused, Tampered


class AgreementTextInvalid(InvalidInput):
    """The agreement's text has errors; ``problems`` lists them all, each with its line."""

    code = "register.agreement-invalid"

    def __init__(self, invalid: AgreementInvalid) -> None:
        super().__init__(invalid.reason, invalid.remedy)
        self.problems: Sequence[Problem] = invalid.problems


class OrganisationUnknown(InvalidInput):
    """The agreement names an organisation that is not registered."""

    code = "register.organisation-unknown"

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"The agreement names the organisation {slug}, which is not registered here.",
            "Correct its short name, or have the administrator register it first.",
        )


class AgentUnknown(InvalidInput):
    """The agreement names an agent who is no member of the organisation named."""

    code = "register.agent-unknown"

    def __init__(self, organisation: str, email: str) -> None:
        super().__init__(
            f"Nobody with the address {email} is a member of {organisation}.",
            "Have the agent registered as a member with exactly this address first.",
        )


class ProductUnknown(InvalidInput):
    """The agreement names a product that its vendor has not registered."""

    code = "register.product-unknown"

    def __init__(self, vendor: str, product: str) -> None:
        super().__init__(
            f"{vendor} has no registered product {product}.",
            "Correct its short name, or register it first: escrow product register.",
        )


class RecipientUnusable(InvalidInput):
    """An age key in the agreement is well formed, and nothing can be sealed to it."""

    code = "register.recipient-unusable"

    def __init__(self, recipient: str) -> None:
        super().__init__(
            f"Nothing can be sealed to the age key {recipient[:20]}…: it is no real key.",
            "Make a new one with age-keygen and put its public half into the agreement.",
        )


class ActSignatureWrong(InvalidInput):
    """An act was changed after it was signed, or signed wrongly."""

    code = "register.act-signature-wrong"

    def __init__(self) -> None:
        super().__init__(
            "The signature does not hold over the act.",
            "Sign the act again and send it exactly as it was made.",
        )


class ActForOther(InvalidInput):
    """An act is about another agreement, version, text, epoch or recipient."""

    code = "register.act-for-other"


class ActTimeImplausible(InvalidInput):
    """An act states a time far from ours."""

    code = "register.act-time-implausible"

    def __init__(self) -> None:
        super().__init__(
            "The act states a time that is more than a day away from the present.",
            "Set your machine's clock and sign again.",
        )


class CanarySecretWrong(InvalidInput):
    """The secret in the act is not the one that was sealed."""

    code = "register.canary-secret-wrong"

    def __init__(self) -> None:
        super().__init__(
            "The secret in the act is not what the canary holds.",
            "Fetch the newest canary, open it with the right key, and sign again.",
        )


class ContributorsWrong(InvalidInput):
    """The act names too few contributors, or shares that were never dealt."""

    code = "register.contributors-wrong"

    def __init__(self, k: int, n: int) -> None:
        super().__init__(
            "The act does not name whose shares opened the canary.",
            f"Name at least {k} different shares, by their numbers from 1 to {n}.",
        )


class NothingChanged(Refused):
    """The text is, byte for byte, a version that is on file."""

    code = "register.nothing-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"This text is on file already, as version {version}.",
            "Change the text, or accept the version that is on file.",
        )


class VendorChanged(Refused):
    """An amendment names another vendor."""

    code = "register.vendor-changed"

    def __init__(self) -> None:
        super().__init__(
            "The text names another vendor; an amendment cannot replace him.",
            "File a new agreement with the new vendor.",
        )


class VersionSuperseded(Refused):
    """The act is about a version that a newer one has replaced."""

    code = "register.version-superseded"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"Version {version} has been replaced by a newer one.",
            "Read the newest version and sign that.",
        )


class ActTaken(Refused):
    """This person has done this act on this version already."""

    code = "register.act-taken"

    def __init__(self) -> None:
        super().__init__(
            "This person has already done this.", "Nothing is left to do; look at the status."
        )


class CeremonyNotHeld(Refused):
    """The act is about an epoch of keys that was not dealt, or is not the newest."""

    code = "register.ceremony-not-held"

    def __init__(self) -> None:
        super().__init__(
            "No keys of this epoch are dealt for this agreement.",
            "Hold the ceremony first (escrow ceremony hold), and open its newest canary.",
        )


class FilerNoParty(NotPermitted):
    """Somebody files an agreement of others."""

    code = "register.filer-no-party"

    def __init__(self) -> None:
        super().__init__(
            "Only the vendor, a beneficiary or the operator may file this agreement.",
            "Ask one of the parties that the text names to file it.",
        )


class SignerNotPinned(NotPermitted):
    """An act is signed with a key that this version does not name."""

    code = "register.signer-not-pinned"

    def __init__(self) -> None:
        super().__init__(
            "The agreement names nobody with this signing key.",
            "Sign with the key that stands in the agreement beside your name.",
        )


class SignerInOtherRole(NotPermitted):
    """An act is signed by somebody who stands in the agreement in another role."""

    code = "register.signer-in-other-role"

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"This act is for {wanted} to do.", f"Have it signed by {wanted} of this agreement."
        )


class AgreementEnded(Refused):
    """Everything under the agreement was destroyed; it takes no more acts."""

    code = "register.agreement-ended"

    def __init__(self) -> None:
        super().__init__(
            "Everything under this agreement was destroyed.",
            "File a new agreement; the certificate of destruction stays.",
        )


class AgreementUnknown(NotFound):
    """No such agreement or version, or not yours: the two look the same."""

    code = "register.agreement-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such agreement.", "Check the id; 'escrow agreement list' shows yours."
        )


class CanaryUnknown(NotFound):
    """The agreement seals to no such recipient."""

    code = "register.canary-unknown"

    def __init__(self) -> None:
        super().__init__(
            "No canary is sealed to this recipient.",
            "Use a recipient that stands in the agreement's newest version.",
        )


class RecipientInUse(InvalidInput):
    """A key that is to become a recipient stands for somebody or something already."""

    code = "register.recipient-in-use"

    def __init__(self) -> None:
        super().__init__(
            "This key stands in the agreement already, or in a change that waits.",
            "Make a new one with 'escrow keys new' or age-keygen.",
        )


class RecipientChangeWaits(Refused):
    """A change of this recipient waits already."""

    code = "register.recipient-change-waits"

    def __init__(self) -> None:
        super().__init__(
            "A change of this recipient waits already.",
            "Wait until it counts, or withdraw it: 'escrow agreement recipient withdraw'.",
        )


class RecipientChangeUnknown(NotFound):
    """No change of this name, by the signer's own organisation, waits."""

    code = "register.recipient-change-unknown"

    def __init__(self) -> None:
        super().__init__(
            "No such change of a recipient of yours waits.",
            "Look at them with 'escrow agreement recipient show'; one that counts is undone by "
            "another change.",
        )


class ChangeBroken(Tampered):
    """An event on a change of a recipient holds no act of a person who may do it."""

    code = "register.change-broken"

    def __init__(self, event_type: str) -> None:
        super().__init__(
            f"The ledger has a {event_type} that nobody signed who may.",
            "Nothing is released under this agreement until the operator has found out who wrote "
            "it, and a new version of the agreement is in force.",
        )


class AgreementTextTampered(Tampered):
    """A stored text no longer has the digest under which it was filed."""

    code = "register.text-tampered"

    def __init__(self, agreement_id: str, version: int) -> None:
        super().__init__(
            f"The stored text of {agreement_id}, version {version}, does not have its digest.",
            "Compare it with the parties' copies and restore it; rely on nothing until then.",
        )
