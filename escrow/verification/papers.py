"""The statements that a report's readers get beside it, in predicates that others defined; pure.

Guarantees: a statement stands beside a report only where its readers may see all that it holds.
Test results and summary hold nothing of what the product is and go to every class; provenance and
bill of materials are the vendor's, unless an agreement's terms give their kinds to others. Outside
the class that sees identifiers every subject is the salted commitment that the report names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escrow.evidence.statements import (
    PROVENANCE_TYPE,
    RESULTS_TYPE,
    SBOM_TYPE,
    SUMMARY_TYPE,
    Stamp,
    statement,
)
from escrow.ground.digests import sha256_hex
from escrow.verification.attested import can_be_attested, results_predicate, summary_predicate
from escrow.verification.components import materials_predicate
from escrow.verification.outcomes import Outcome
from escrow.verification.parts import DepositFacts
from escrow.verification.provenance import artifact_subjects, provenance_predicate
from escrow.verification.report import Readers

SBOM = "sbom"

# Provenance tells commands and digests: whoever sees it sees both of these kinds anyway.
PROVENANCE_KINDS = frozenset({"findings", "identifiers"})


@dataclass(frozen=True)
class Papers:
    """What is said of one examination to some readers."""

    stamp: Stamp
    deposit: DepositFacts
    outcome: Outcome
    readers: Readers

    def beside(self, report: bytes, subjects: Sequence[tuple[str, str]]) -> list[bytes]:
        """Return the statements to sign beside a report.

        Args:
            report: the report's statement.
            subjects: what it is about.
        """
        made = []
        judgement = self.readers.judgement
        if can_be_attested(judgement):
            results = results_predicate(judgement, self.outcome)
            summary = summary_predicate(
                self.stamp, self.deposit, self.outcome, judgement, sha256_hex(report)
            )
            made += [
                statement(subjects, RESULTS_TYPE, results),
                statement(subjects, SUMMARY_TYPE, summary),
            ]
        made += self._provenance()
        if SBOM in self.readers.kinds and self.outcome.inspection is not None:
            materials = materials_predicate(self.stamp, self.deposit, self.outcome)
            made.append(statement(subjects, SBOM_TYPE, materials))
        return made

    def _provenance(self) -> list[bytes]:
        """Return the provenance where something was built and the readers may see it."""
        plan, built = self.outcome.plan, artifact_subjects(self.outcome)
        if plan is None or not built or not self.readers.kinds >= PROVENANCE_KINDS:
            return []
        said = provenance_predicate(self.stamp, self.deposit, self.outcome, plan)
        return [statement(built, PROVENANCE_TYPE, said)]
