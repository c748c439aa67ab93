"""The registered grounds for release and the kinds of proof that each needs.

A ground is binary, dated, and comes with named evidence; people decide whether it holds. Ids are
stored in agreements and never renamed or reused. The list follows the grounds found in published
escrow agreements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ConditionType:
    """A registered ground; an agreement words it and may set the cure period anew.

    Attributes:
        cure_days: calendar days to cure when the agreement names none; None where not curable.
        evidence: the usual kinds of proof, of :data:`EVIDENCE_TYPES`.
        insolvency: the ground is the vendor's bankruptcy, which alone is a weak ground: a court
            may stay it or set it aside.
    """

    id: str
    title: str
    curable: bool
    cure_days: int | None
    evidence: tuple[str, ...]
    insolvency: bool = False


EVIDENCE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "court-record": "Entry of a court's docket: court, number, date",
        "gazette-notice": "Notice in an official gazette",
        "register-entry": "Entry of a company or insolvency register",
        "officer-letter": "Letter of an officer or insolvency practitioner",
        "site-observation": "Dated observation that site, mail or telephone no longer answer",
        "end-of-life-notice": "The vendor's own announcement of the end of product or support",
        "support-record": "Unanswered support requests with their times",
        "default-notice": "Notice of default, as served",
        "proof-of-receipt": "Proof that a notice was received",
        "service-measurement": "Record of an outage monitor",
        "assignment-notice": "Notice that rights in the software were assigned",
        "deal-announcement": "Announcement of a change of control",
        "improvement-request": "The request for an improvement and the vendor's answer",
        "regulator-order": "Order or letter of a supervisory authority",
        "deposit-record": "This service's signed record of deposits owed and received",
        "host-notice": "Notice of a hosting provider about unpaid bills or suspension",
        "signed-instruction": "Instruction signed by the authorised persons of both parties",
        "court-order": "Final order of a court",
        "arbitral-award": "Final award of an arbiter or decision of the named expert",
        "verification-record": "This service's signed verification reports",
    }
)

_TYPES = (
    ConditionType(
        "vendor-insolvency",
        "Insolvency or liquidation of the vendor",
        False,
        None,
        ("court-record", "gazette-notice", "register-entry"),
        insolvency=True,
    ),
    ConditionType(
        "cessation-of-business",
        "The vendor ceases to trade",
        False,
        None,
        ("register-entry", "officer-letter", "site-observation"),
    ),
    ConditionType(
        "product-discontinued",
        "Product or support ends without a successor",
        True,
        30,
        ("end-of-life-notice", "support-record"),
    ),
    ConditionType(
        "maintenance-default",
        "Material default in maintenance, notified and not remedied",
        True,
        10,
        ("default-notice", "proof-of-receipt", "support-record"),
    ),
    ConditionType(
        "service-failure",
        "Hosted service fails and is not restored in time",
        True,
        3,
        ("service-measurement", "default-notice", "proof-of-receipt"),
    ),
    ConditionType(
        "rights-assigned",
        "Rights are assigned and the new owner offers no equal protection",
        False,
        None,
        ("assignment-notice", "proof-of-receipt"),
    ),
    ConditionType(
        "change-of-control",
        "Change of control of the vendor",
        False,
        None,
        ("deal-announcement", "register-entry"),
    ),
    ConditionType(
        "improvement-refused",
        "A required improvement is refused, or an authority demands release",
        False,
        None,
        ("improvement-request", "regulator-order"),
    ),
    ConditionType(
        "deposit-overdue",
        "Deposit or update is not made after demand",
        True,
        28,
        ("deposit-record", "default-notice"),
    ),
    ConditionType(
        "licence-rejected",
        "The licence is rejected in insolvency",
        False,
        None,
        ("court-record",),
        insolvency=True,
    ),
    ConditionType(
        "hosting-unpaid",
        "Hosting is unpaid or about to be suspended",
        True,
        10,
        ("host-notice",),
    ),
    ConditionType(
        "joint-instruction",
        "Joint written instruction of vendor and beneficiary",
        False,
        None,
        ("signed-instruction",),
    ),
    ConditionType(
        "court-order",
        "Final order of a court, or award",
        False,
        None,
        ("court-order", "arbitral-award"),
    ),
    ConditionType(
        "verification-failing",
        "Verification fails repeatedly without cure",
        False,
        None,
        ("verification-record",),
    ),
)

CONDITION_TYPES: Mapping[str, ConditionType] = MappingProxyType({one.id: one for one in _TYPES})
"""Every registered ground by its id, in the order in which documents list them."""
