"""Verification reports: one statement for each class of readers, and nothing more in it.

Guarantees: a statement holds exactly the sections of the kinds of documents that its class may
see (agreements/disclosure.py). The kind ``summary`` alone tells *that* a product builds: its
section is written from verdicts, registered codes and titles, counts, times and ids of ours, and
takes no text, name or digest that came out of a deposit. What stands in each section:
``docs/protocol/report.md``. Pure: signing and storing are done elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from builders.findings import Finding, finding_type
from builders.orders import (
    ComponentPlan,
    ComponentResult,
    PhasePlan,
    PhaseResult,
)
from builders.plan import drafted_recipe
from escrow.evidence.receipts import NOT_VERIFIABLE
from escrow.evidence.statements import REPORT_TYPE, Stamp, statement
from escrow.ground.clock import rfc3339
from escrow.ground.digests import commitment
from escrow.verification.checks import level_of
from escrow.verification.judging import ALL_AGREEMENTS, Judgement, Terms, Verdicts
from escrow.verification.ladder import LEVEL_TEXTS, REASON_TEXTS, LevelResult
from escrow.verification.outcomes import ARTIFACTS_LISTED_MAX, Outcome
from escrow.verification.parts import DepositFacts

VERSION = 1

SUMMARY = "summary"
# Key of the vendor's own salt among the salts, which are otherwise named by agreement.
OWN_SALT = ALL_AGREEMENTS
VENDOR = "vendor"
# Everybody but the vendor; each agreement's terms say what they see.
OTHER_CLASSES = ("beneficiary", "agent", "auditor")

# The kinds of documents of which a statement has a section; the others only lie beside it.
STATEMENT_KINDS = frozenset({SUMMARY, "findings", "identifiers", "manifest", "log", "sbom"})


@dataclass(frozen=True)
class Readers:
    """The readers of one statement: some classes of one agreement, or the vendor."""

    judgement: Judgement
    classes: tuple[str, ...]
    kinds: frozenset[str]

    @property
    def agreement_id(self) -> str:
        """Under which agreement they read."""
        terms = self.judgement.terms
        return terms.agreement_id if terms else ALL_AGREEMENTS


def manifest_commitment(deposit: DepositFacts, outcome: Outcome, salt: str) -> str:
    """Return the salted commitment to what was deposited: parts and manifest by digest.

    The salt is in the vendor's report; whoever is later given manifest and salt can check that
    this is what was verified (protocol.md, "Commitments").
    """
    manifest = next((one.sha256 for one in outcome.documents if one.kind == "manifest"), None)
    parts = sorted([part.label, part.sha256] for part in deposit.parts)
    values = {"deposit": deposit.id, "manifest": manifest, "parts": parts}
    return commitment(salt, values)


def predicate(
    stamp: Stamp,
    deposit: DepositFacts,
    outcome: Outcome,
    readers: Readers,
    salts: Mapping[str, str],
    under_each: Sequence[Judgement] = (),
) -> dict[str, object]:
    """Return the predicate of the statement for some readers.

    Args:
        readers: from :func:`readers_of`.
        salts: of the manifest commitments, by agreement id and :data:`OWN_SALT`. Who sees
            identifiers under an agreement is told that agreement's, the vendor is told all.
        under_each: for the vendor's own report, the judgements under each agreement.
    """
    judgement, kinds = readers.judgement, readers.kinds
    sections = _summary(stamp, deposit, outcome, readers)
    sections["disclosure"] = {"classes": list(readers.classes), "kinds": sorted(kinds)}
    told = salts
    if judgement.terms is not None:
        told = {judgement.terms.agreement_id: salts[judgement.terms.agreement_id]}
    else:
        sections["agreements"] = [_under(one) for one in under_each]
    salt = next(iter(told.values())) if judgement.terms else salts[OWN_SALT]
    sections["manifestCommitment"] = manifest_commitment(deposit, outcome, salt)
    if "findings" in kinds:
        sections["findings"] = [_finding_in_full(one) for one in judgement.findings]
        sections["build"] = _build(outcome, identifiers="identifiers" in kinds)
    if "identifiers" in kinds:
        sections["identifiers"] = _identifiers(deposit, outcome, told)
    sections["documents"] = [
        {"kind": one.kind, "sha256": one.sha256, "sizeBytes": one.size_bytes}
        for one in outcome.documents
        # The kit tells commands and digests: for whoever sees identifiers.
        if one.kind in kinds or (one.kind == "kit" and "identifiers" in kinds)
    ]
    return sections


def report_statement(
    deposit: DepositFacts, sections: Mapping[str, object], readers: Readers
) -> bytes:
    """Return the bytes to sign: about the parts by digest, or the deposit by its commitment.

    Args:
        sections: from :func:`predicate`, for the same readers.
    """
    return statement(subjects_of(deposit, sections, readers), REPORT_TYPE, sections)


def subjects_of(
    deposit: DepositFacts, sections: Mapping[str, object], readers: Readers
) -> list[tuple[str, str]]:
    """Return what a statement to these readers is about: parts, or a commitment to them."""
    if "identifiers" in readers.kinds:
        return [(part.label, part.sha256) for part in deposit.parts]
    return [(deposit.id, str(sections["manifestCommitment"]))]


def readers_of(verdicts: Verdicts) -> list[Readers]:
    """Return who gets which statement: classes of an agreement that see the same share one."""
    readers = [Readers(verdicts.vendor, (VENDOR,), STATEMENT_KINDS)]
    for judgement in verdicts.under_each:
        alike: dict[frozenset[str], list[str]] = defaultdict(list)
        for reader in OTHER_CLASSES:
            seen = judgement.terms.classes[reader] if judgement.terms else frozenset()
            alike[seen & STATEMENT_KINDS | {SUMMARY}].append(reader)
        readers += [Readers(judgement, tuple(classes), kinds) for kinds, classes in alike.items()]
    return readers


def _summary(
    stamp: Stamp, deposit: DepositFacts, outcome: Outcome, readers: Readers
) -> dict[str, object]:
    """Return the section that everybody sees. Nothing in it comes out of the deposit."""
    judgement = readers.judgement
    return {
        "v": VERSION,
        "service": stamp.to_json(),
        "deposit": {
            "id": deposit.id,
            "number": deposit.number,
            "productId": deposit.product_id,
            "sealedAt": rfc3339(deposit.sealed_at),
        },
        "agreement": _agreement(judgement.terms),
        "smallestK": judgement.terms.custody.smallest_k if judgement.terms else None,
        "examination": {
            "id": outcome.examination_id,
            "attempt": outcome.attempt,
            "begunAt": rfc3339(outcome.begun_at),
            "finishedAt": rfc3339(outcome.finished_at),
            "isolation": dict(outcome.isolation),
            "worker": outcome.worker,
        },
        **_confirms(outcome, readers),
        "orderedLevel": judgement.ordered,
        "verdict": judgement.verdict,
        "levelReached": judgement.reached,
        "renewsBadge": judgement.renews_badge,
        "meetsCadence": judgement.meets_cadence,
        "levels": [_level(one) for one in judgement.ladder],
        "findingCounts": _counted(judgement.findings),
        "counts": _counts(deposit, outcome),
    }


def _confirms(outcome: Outcome, readers: Readers) -> dict[str, object]:
    """Return which report of another worker this one stands beside; nothing in a first one."""
    cited = outcome.confirms
    if cited is None:
        return {}
    statement_sha256 = cited.statements.get((readers.agreement_id, readers.classes[0]))
    return {
        "confirms": {
            "examination": cited.examination_id,
            "worker": cited.worker,
            "statementSha256": statement_sha256,
        }
    }


def _agreement(terms: Terms | None) -> dict[str, object] | None:
    if terms is None:
        return None
    custody = terms.custody
    return {
        "id": terms.agreement_id,
        "version": terms.version,
        "custody": custody.kind,
        "k": custody.k,
        "n": custody.n,
    }


def _under(judgement: Judgement) -> dict[str, object]:
    return {
        "agreement": _agreement(judgement.terms),
        "orderedLevel": judgement.ordered,
        "verdict": judgement.verdict,
        "levelReached": judgement.reached,
    }


def _level(result: LevelResult) -> dict[str, object]:
    text = LEVEL_TEXTS[result.level]
    return {
        "level": result.level,
        "title": text.title,
        "verdict": result.verdict,
        "reason": result.reason,
        "because": REASON_TEXTS[result.reason] if result.reason else None,
        "grade": result.grade,
    }


def _counted(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """Return code, registered title and number of each kind of finding, without its facts."""
    counted = Counter(one.code for one in findings)
    return [
        {
            "code": code,
            "title": finding_type(code).title,
            "severity": finding_type(code).severity,
            "level": level_of(code),
            "count": counted[code],
        }
        for code in sorted(counted)
    ]


def _counts(deposit: DepositFacts, outcome: Outcome) -> dict[str, int]:
    inspected = outcome.inspection.parts if outcome.inspection else ()
    results = outcome.result.components if outcome.result else ()
    client_sealed = sum(part.is_client_sealed for part in deposit.parts)
    return {
        "parts": len(deposit.parts),
        **({"partsClientSealed": client_sealed} if client_sealed else {}),
        "partsCarried": sum(part.is_carried for part in deposit.parts),
        "files": sum(part.files for part in inspected),
        "components": len(results),
        "phases": sum(len(one.phases) for one in results),
        "artifacts": sum(len(one.artifacts) for one in results),
    }


def _finding_in_full(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "title": finding.type.title,
        "severity": finding.severity,
        "level": level_of(finding.code),
        "component": finding.component,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }


def _build(outcome: Outcome, *, identifiers: bool) -> dict[str, object] | None:
    """Return how each component was built; digests and image ids only for who may see them."""
    if outcome.plan is None:
        return None
    results = {one.name: one for one in (outcome.result.components if outcome.result else ())}
    draft = {}
    if identifiers and outcome.plan.drafted and outcome.inspection is not None:
        # Ready to be deposited as escrow.toml: the next build then guesses nothing.
        draft = {"draft": drafted_recipe(outcome.inspection)}
    return {
        **draft,
        "recipe": "drafted" if outcome.plan.drafted else "deposited",
        "sourceDateEpoch": outcome.plan.source_date_epoch,
        "components": [
            _component(plan, results.get(plan.name), identifiers=identifiers)
            for plan in outcome.plan.components
        ],
    }


def _component(
    plan: ComponentPlan, result: ComponentResult | None, *, identifiers: bool
) -> dict[str, object]:
    artifacts = result.artifacts if result else ()
    phases = {one.phase: one for one in (result.phases if result else ())}
    shown: dict[str, object] = {
        "name": plan.name,
        "directory": plan.directory,
        "ecosystem": plan.ecosystem,
        "suite": plan.suite,
        "because": plan.because,
        "systemPackages": list(plan.system_packages),
        "limits": {
            "cpusThousandths": round(plan.limits.cpus * 1000),
            "memoryBytes": plan.limits.memory_bytes,
            "diskBytes": plan.limits.disk_bytes,
            "milliseconds": round(plan.limits.seconds * 1000),
        },
        "verdict": result.verdict if result else None,
        "phases": [_phase(one, phases.get(one.name)) for one in plan.phases],
        "artifacts": [
            {"path": one.path, "sizeBytes": one.size_bytes}
            | ({"sha256": one.sha256} if identifiers else {})
            for one in artifacts[:ARTIFACTS_LISTED_MAX]
        ],
        "artifactsInAll": len(artifacts),
    }
    if identifiers:
        shown["image"] = result.image if result else None
    return shown


def _phase(plan: PhasePlan, result: PhaseResult | None) -> dict[str, object]:
    shown: dict[str, object] = {
        "phase": plan.name,
        "commands": list(plan.commands),
        "environment": dict(plan.environment),
        "network": plan.network,
        "ran": result is not None,
    }
    if result is not None:
        shown |= {
            "exitCode": result.exit_code,
            "timedOut": result.timed_out,
            "outOfMemory": result.oom_killed,
            "outputFlooded": result.output_flooded,
            "milliseconds": round(result.wall_seconds * 1000),
        }
    return shown


def _identifiers(
    deposit: DepositFacts, outcome: Outcome, salts: Mapping[str, str]
) -> dict[str, object]:
    inspected = {one.name: one for one in (outcome.inspection.parts if outcome.inspection else ())}
    parts = []
    for part in deposit.parts:
        seen = inspected.get(part.label)
        parts.append(
            {
                "id": part.id,
                "kind": part.kind,
                "name": part.name,
                "media": part.media,
                "sizeBytes": part.size_bytes,
                "sha256": part.sha256,
                "payloadSha256": part.payload_sha256,
                "asOf": rfc3339(part.as_of),
                "carried": part.is_carried,
                "git": dict(part.git) if part.git else None,
                "files": seen.files if seen else None,
                "swhid": seen.root_swhid if seen else None,
                "commit": seen.commit if seen else None,
                **({"clientSealed": NOT_VERIFIABLE} if part.is_client_sealed else {}),
            }
        )
    # The vendor's own salt also makes this statement's digest, which the ledger holds, unguessable.
    return {"parts": parts, "salts": dict(salts)}
