"""The agreement as values: what every room reads and none changes.

An :class:`Agreement` exists only when its text had no error, so its readers check nothing again:
keys and recipients are well formed, nobody appears twice, and 2 ≤ k < n holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Custody = Literal["sealed", "standing"]
Role = Literal["vendor", "beneficiary", "agent"]
Bundle = Literal["source", "data", "docs", "artifacts", "access"]
DisclosureClass = Literal["vendor", "agent", "beneficiary", "auditor"]


@dataclass(frozen=True)
class Contact:
    """A person or desk that notices are served to."""

    name: str
    email: str


@dataclass(frozen=True)
class Person:
    """An authorised person of a party; acts only with the key pinned here.

    Attributes:
        signs: ``single``: binds the party alone; ``joint``: two such persons bind it together.
    """

    name: str
    email: str
    signing_key: str
    signs: Literal["single", "joint"] = "single"


@dataclass(frozen=True)
class Recipient:
    """An age public key that a release is sealed to; the recovery one lies elsewhere."""

    kind: Literal["primary", "recovery"]
    recipient: str


@dataclass(frozen=True)
class Party:
    """The vendor or one beneficiary; only a beneficiary has recipients."""

    organisation: str
    name: str
    legal_id: str
    contacts: tuple[Contact, ...]
    persons: tuple[Person, ...]
    recipients: tuple[Recipient, ...] = ()


@dataclass(frozen=True)
class Agent:
    """A natural person who holds one share; staff of no party, confirms form and never facts."""

    name: str
    organisation: str
    email: str
    signing_key: str
    share_recipient: str


@dataclass(frozen=True)
class Sealing:
    """How many of the agents together can open a deposit: ``k`` of all of them."""

    k: int


@dataclass(frozen=True)
class MaterialTerms:
    """A kind of part that the vendor owes, and how old it may be when carried forward."""

    kind: str
    name: str | None = None
    required: bool = True
    max_age_days: int | None = None


@dataclass(frozen=True)
class ProductTerms:
    """A product that the agreement covers, named by the vendor's and its own short name."""

    vendor: str
    product: str
    materials: tuple[MaterialTerms, ...]


@dataclass(frozen=True)
class VerificationTerms:
    """Which level every deposit is to reach, and how soon.

    Attributes:
        max_age_hours: no deposit waits longer, even when newer ones overtake it.
        lane_hours: the lane key of a deposit is destroyed after this time at latest.
    """

    level: str
    max_age_hours: int = 24
    lane_hours: int = 72


@dataclass(frozen=True)
class Condition:
    """A ground for release, of a registered type; ``cure_days`` is None when it is not curable.

    Attributes:
        speed: ``notice``: the vendor may object first; ``demand``: on the beneficiary's word.
    """

    type: str
    text: str
    evidence: tuple[str, ...]
    curable: bool
    cure_days: int | None
    frees: tuple[Bundle, ...]
    permanence: Literal["permanent", "temporary"]
    speed: Literal["notice", "demand"] = "notice"


@dataclass(frozen=True)
class RequestTerms:
    """Clocks of a release request, in business days of the agreement's calendar."""

    agent_duty_business_days: int = 2
    deemed_service_business_days: int = 5
    consent_revocable_business_days: int = 1


@dataclass(frozen=True)
class DisputeTerms:
    """Who decides a disputed fact; the service never does."""

    resolver: Literal["court", "arbiter", "expert"]
    name: str


@dataclass(frozen=True)
class EndingTerms:
    """How deposits and the agreement itself end.

    Attributes:
        withdrawal_days: a withdrawn deposit lies in quarantine for so long before it is shredded.
        destruction_grace_days: between the last beneficiary's service and the agents' words.
        retention_months: older deposits are dropped, never the last of a level; 0 keeps all.
    """

    withdrawal_days: int = 14
    destruction_grace_days: int = 30
    retention_months: int = 0


@dataclass(frozen=True)
class Signatory:
    """Somebody whose key is pinned in the agreement, in the role in which he may use it."""

    role: Role
    organisation: str
    name: str
    email: str
    signing_key: str
    signs: Literal["single", "joint"]


@dataclass(frozen=True)
class Agreement:
    """One version of an agreement; ``text_sha256`` names the exact text that was signed."""

    title: str
    governing_law: str
    language: str
    custody: Custody
    calendar: str
    objection_period_business_days: int
    cadence_days: int
    grace_days: int
    vendor: Party
    beneficiaries: tuple[Party, ...]
    agents: tuple[Agent, ...]
    sealing: Sealing
    products: tuple[ProductTerms, ...]
    verification: VerificationTerms
    disclosure: Mapping[str, tuple[DisclosureClass, ...]]
    conditions: tuple[Condition, ...]
    requests: RequestTerms
    disputes: DisputeTerms | None
    text_sha256: str
    endings: EndingTerms = EndingTerms()

    def signatories(self) -> tuple[Signatory, ...]:
        """Return everybody with a pinned key: vendor, beneficiaries, agents, in file order."""
        return (
            *_of_party("vendor", self.vendor),
            *(one for party in self.beneficiaries for one in _of_party("beneficiary", party)),
            *(_of_agent(agent) for agent in self.agents),
        )

    def signers(self, role: Role) -> tuple[Signatory, ...]:
        """Return those who may sign in this role."""
        return tuple(one for one in self.signatories() if one.role == role)

    def person_of_key(self, key_text: str) -> Signatory | None:
        """Return whose pinned key this text is, or None; no key is pinned twice."""
        return next((one for one in self.signatories() if one.signing_key == key_text), None)

    def party(self, organisation: str) -> Party | None:
        """Return the vendor or beneficiary of that short name, or None."""
        parties = (self.vendor, *self.beneficiaries)
        return next((one for one in parties if one.organisation == organisation), None)

    def may_see(self, document_kind: str, disclosure_class: DisclosureClass) -> bool:
        """Return whether documents of this kind are disclosed to the class before a release.

        A kind that the agreement does not know is the vendor's alone.
        """
        return disclosure_class in self.disclosure.get(document_kind, ("vendor",))


def _of_party(role: Role, party: Party) -> tuple[Signatory, ...]:
    return tuple(
        Signatory(role, party.organisation, one.name, one.email, one.signing_key, one.signs)
        for one in party.persons
    )


def _of_agent(agent: Agent) -> Signatory:
    return Signatory(
        "agent", agent.organisation, agent.name, agent.email, agent.signing_key, "single"
    )
