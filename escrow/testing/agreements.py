"""A complete cast for one agreement: everybody's secret keys, and the filled three-party template.

Real keys, made from the names, so that a test's texts are the same in every run. They guard
nothing: whoever reads this file has them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agreements.parsing import parse_agreement
from agreements.templates import placeholders, render_template
from agreements.terms import Agreement
from escrow.ground.signatures import SigningKey
from escrow.vault.age import X25519Identity

_TEXTS = {
    "title": "Escrow of the ledger core",
    "governing_law": "England and Wales",
    "language": "en",
    "calendar": "GB-ENG",
    "dispute_resolver": "arbiter",
    "dispute_resolver_name": "The Chamber of Arbitration, London",
    "product": "ledger-core",
}


@dataclass(frozen=True)
class AgreementCast:
    """The people of one agreement: a vendor, a beneficiary and three agents, k = 2.

    Attributes:
        vendor: short name of the vendor's organisation.
        beneficiary: short name of the beneficiary's organisation.
        product: short name of the one product.
        changes: placeholders of the template that are to be filled otherwise.
    """

    vendor: str = "northwind"
    beneficiary: str = "harbour-bank"
    product: str = "ledger-core"
    changes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def text(self) -> str:
        """The filled template, which has neither errors nor warnings."""
        filled = {**self._people(), **_TEXTS, "product": self.product, **self.changes}
        return render_template("three-party", filled)

    @cached_property
    def agreement(self) -> Agreement:
        """The parsed text."""
        return parse_agreement(self.text)

    def signing_key(self, who: str) -> SigningKey:
        """Return the key of ``vendor``, ``beneficiary``, ``agent_1`` … ``agent_3``."""
        return SigningKey.from_seed(self._secret(f"signing {who}"))

    def identity(self, who: str) -> X25519Identity:
        """Return the age key of ``beneficiary_primary``, ``beneficiary_recovery``, ``agent_1`` …"""
        return X25519Identity(self._secret(f"age {who}"))

    def _secret(self, purpose: str) -> bytes:
        return hashlib.sha256(f"{self.vendor} {self.beneficiary} {purpose}".encode()).digest()

    def _people(self) -> dict[str, str]:
        filled: dict[str, str] = {}
        for name in placeholders("three-party"):
            who, _, what = name.partition("_")
            if who == "agent":
                number, _, what = what.partition("_")
                who = f"agent_{number}"
            filled[name] = self._value(who, what)
        return filled

    def _value(self, who: str, what: str) -> str:
        organisation = {"vendor": self.vendor, "beneficiary": self.beneficiary}.get(who)
        organisation = organisation or f"{who.replace('_', '-')}-chambers"
        match what:
            case "organisation":
                return organisation
            case "signing_key":
                return str(self.signing_key(who).public)
            case "primary_recipient" | "recovery_recipient":
                return str(self.identity(f"{who}_{what.split('_')[0]}").recipient)
            case "share_recipient":
                return str(self.identity(who).recipient)
            case _ if what.endswith("email"):
                return f"{what.removesuffix('email') or 'self_'}at@{organisation}.example"
            case _:
                return f"{what.replace('_', ' ')} of {organisation}"
