"""What an examination means under the terms of one agreement, or of the product alone; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from builders.findings import Finding
from builders.orders import TrialBuildResult
from escrow.verification.checks import judge_levels
from escrow.verification.ladder import (
    Level,
    LevelResult,
    Reason,
    Verdict,
    complete_ladder,
    level_reached,
    meets_cadence,
    renews_badge,
    verdict_of,
)

# Stands for "whatever the agreement": the vendor's report, findings about the deposit as such.
ALL_AGREEMENTS = ""


@dataclass(frozen=True)
class Custody:
    """How a deposit can be opened; ``smallest_k`` over every agreement that it serves."""

    kind: str
    k: int
    n: int
    smallest_k: int


@dataclass(frozen=True)
class Terms:
    """What an examination needs to know of one agreement in force.

    Args:
        classes: which kinds of documents each class of readers sees before a release.
    """

    agreement_id: str
    version: int
    ordered: Level
    custody: Custody
    classes: dict[str, frozenset[str]]


@dataclass(frozen=True)
class Judgement:
    """The outcome under one set of terms; ``terms`` is None for the vendor's own report."""

    terms: Terms | None
    ordered: Level
    findings: tuple[Finding, ...]
    ladder: tuple[LevelResult, ...]

    @property
    def verdict(self) -> Verdict:
        """Over the levels up to the ordered one."""
        return verdict_of(self.ladder, self.ordered)

    @property
    def reached(self) -> Level | None:
        """The highest level that passed with all below it."""
        return level_reached(self.ladder)

    @property
    def reason(self) -> Reason | None:
        """Why the verdict is ERROR or NOT TESTED: the reason of the lowest such level."""
        return next((r.reason for r in self.ladder if r.verdict is self.verdict), None)

    @property
    def renews_badge(self) -> bool:
        """Whether this deposit is now the last provably buildable one."""
        return renews_badge(self.ladder)

    @property
    def meets_cadence(self) -> bool:
        """Whether it counts as one of those that are owed."""
        return meets_cadence(self.verdict)


def judge_examined(
    terms: Terms | None,
    ordered: Level,
    findings: Sequence[Finding],
    result: TrialBuildResult | None,
    unbuilt: Reason,
    passed_by: Mapping[Level, frozenset[str]] = MappingProxyType({}),
) -> Judgement:
    """Return the judgement over a deposit that was opened and, where possible, built.

    Args:
        unbuilt: why nothing was built, where no finding says it.
        passed_by: which workers' keys passed which level, this one's among them. Above the trial
            build a level that fewer than two passed is NOT TESTED, whatever this one found.
    """
    ladder = complete_ladder(judge_levels(findings, result, unbuilt), passed_by)
    return Judgement(terms, ordered, tuple(findings), ladder)


def judge_unexamined(
    terms: Terms | None, ordered: Level, findings: Sequence[Finding], reason: Reason
) -> Judgement:
    """Return the judgement over a deposit that was not opened to the end.

    It was received; every further level that is offered has the same reason: NOT TESTED, or
    ERROR where the reason is ours.
    """
    verdict = Verdict.ERROR if reason.is_ours else Verdict.NOT_TESTED
    levels = (Level.INTEGRITY, Level.INVENTORY, Level.BUILD)
    tested = [LevelResult(Level.RECEIVED, Verdict.PASS)]
    tested += [LevelResult(level, verdict, reason) for level in levels]
    return Judgement(terms, ordered, tuple(findings), complete_ladder(tested))


@dataclass(frozen=True)
class Verdicts:
    """The judgements of one examination.

    Args:
        vendor: over everything that any agreement or the product asks.
        under_each: under each agreement that the deposit serves.
    """

    vendor: Judgement
    under_each: tuple[Judgement, ...]


def attributed(verdicts: Verdicts) -> list[tuple[str, Finding]]:
    """Return each finding once, with the agreement it is particular to, or none."""
    shared = _shared(verdicts)
    found: list[tuple[str, Finding]] = [
        (ALL_AGREEMENTS, one) for one in verdicts.vendor.findings if _key(one) in shared
    ]
    for judgement in verdicts.under_each:
        if judgement.terms is not None:
            agreement_id = judgement.terms.agreement_id
            own = [one for one in judgement.findings if _key(one) not in shared]
            found += [(agreement_id, one) for one in own]
    return found


def _shared(verdicts: Verdicts) -> set[tuple[object, ...]]:
    """Return the findings that stand under every agreement."""
    shared = {_key(one) for one in verdicts.vendor.findings}
    for judgement in verdicts.under_each:
        shared &= {_key(one) for one in judgement.findings}
    return shared


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.code, finding.component, tuple(sorted(finding.facts.items()))
