"""The one registry of documents: each predicate type, its title, and the role that answers for it.

Guarantees: a type stands here once. Whoever adds a document adds its row, and every check, page
and test that goes over the kinds has it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.evidence.statements import (
    DESTRUCTION_TYPE,
    MISSING_DEPOSIT_TYPE,
    PROVENANCE_TYPE,
    RECEIPT_TYPE,
    RELEASE_TYPE,
    REPORT_TYPE,
    RESULTS_TYPE,
    SBOM_TYPE,
    SUMMARY_TYPE,
)
from escrow.ledger.events import Role


@dataclass(frozen=True)
class DocumentKind:
    """A kind of document.

    Args:
        title: as a person calls it.
        role: the one role that signs and logs it.
        name: short, for files and commands.
        leads: whether it is the document itself; the others only travel beside one, issued by the
            same entry of the ledger. A statement that others defined has no place for our stamp,
            so it is believed in the environment of the one that it travels with.
    """

    title: str
    role: Role
    name: str
    leads: bool = True


KINDS: Mapping[str, DocumentKind] = {
    RECEIPT_TYPE: DocumentKind("deposit receipt", "portal", "receipt"),
    REPORT_TYPE: DocumentKind("verification report", "worker", "report"),
    RELEASE_TYPE: DocumentKind("release certificate", "keyholder", "release"),
    DESTRUCTION_TYPE: DocumentKind("destruction certificate", "keyholder", "destruction"),
    MISSING_DEPOSIT_TYPE: DocumentKind("notice of a missing deposit", "worker", "missing-deposit"),
    RESULTS_TYPE: DocumentKind("test results", "worker", "results", leads=False),
    PROVENANCE_TYPE: DocumentKind("provenance of the rebuild", "worker", "provenance", leads=False),
    SBOM_TYPE: DocumentKind("bill of materials", "worker", "materials", leads=False),
    SUMMARY_TYPE: DocumentKind("verification summary", "worker", "summary", leads=False),
}
