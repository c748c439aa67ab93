"""The verification in predicates that others defined: test results, and the summary; pure.

Guarantees: both say PASSED or FAILED and know no third word, so neither is made of an examination
that ended in ERROR or NOT TESTED: our own error is never told as the vendor's failure, and what was
not tested never as passed. Both hold registered words, numbers and ids of ours alone, so every
class of readers gets them. Verified levels are named ``ESCROW_…``; they are no levels of SLSA.
Sources: github.com/in-toto/attestation, spec/predicates/test-result.md; slsa.dev,
verification_summary/v1.
"""

from __future__ import annotations

from escrow.evidence.statements import REPORT_TYPE, Stamp
from escrow.ground.clock import rfc3339
from escrow.ground.digests import Sha256Hex
from escrow.verification.cases import CATALOGUE, results_of_cases
from escrow.verification.judging import Judgement
from escrow.verification.ladder import Verdict
from escrow.verification.outcomes import Outcome
from escrow.verification.parts import DepositFacts

PASSED, WARNED, FAILED = "PASSED", "WARNED", "FAILED"

_RESULTS = {Verdict.PASS: PASSED, Verdict.FAIL: FAILED}


def can_be_attested(judgement: Judgement) -> bool:
    """Return whether the verdict is one that these predicates have a word for."""
    return judgement.verdict in _RESULTS


def worker_uri(stamp: Stamp, key_id: str) -> str:
    """Return the name of a worker: which environment it is of, and by which key it is known."""
    return f"urn:escrow:{stamp.environment}:worker:{key_id}"


def results_predicate(judgement: Judgement, outcome: Outcome) -> dict[str, object]:
    """Return the predicate of the test results: one entry for each case that was asked."""
    results = results_of_cases(judgement.ladder, judgement.findings, judgement.ordered)
    result = _RESULTS[judgement.verdict]
    if result == PASSED and results.warned:
        result = WARNED
    return {
        "result": result,
        "configuration": [
            {
                "name": CATALOGUE,
                "uri": f"urn:escrow:{CATALOGUE}",
                "annotations": {
                    "orderedLevel": judgement.ordered,
                    "examination": outcome.examination_id,
                },
            }
        ],
        "passedTests": [one.name for one in results.passed],
        "warnedTests": [one.name for one in results.warned],
        "failedTests": [one.name for one in results.failed],
    }


def summary_predicate(
    stamp: Stamp,
    deposit: DepositFacts,
    outcome: Outcome,
    judgement: Judgement,
    report_sha256: Sha256Hex,
) -> dict[str, object]:
    """Return the predicate of the verification summary.

    Args:
        report_sha256: digest of the report's statement, from which it is drawn.
    """
    passed = judgement.verdict is Verdict.PASS
    level = f"ESCROW_{str(judgement.reached).upper()}"
    return {
        "verifier": {"id": worker_uri(stamp, outcome.worker)},
        "timeVerified": rfc3339(outcome.finished_at),
        "resourceUri": f"urn:escrow:deposit:{deposit.id}",
        "policy": {"uri": _policy(deposit, judgement)},
        "inputAttestations": [{"uri": REPORT_TYPE, "digest": {"sha256": report_sha256}}],
        "verificationResult": PASSED if passed else FAILED,
        # The highest level alone, as the specification has it; a failed policy verifies none.
        "verifiedLevels": [level] if passed else [FAILED],
    }


def _policy(deposit: DepositFacts, judgement: Judgement) -> str:
    """Name whose terms were applied, and which level they order."""
    terms = judgement.terms
    whose = (
        f"agreement:{terms.agreement_id}:{terms.version}"
        if terms
        else f"product:{deposit.product_id}"
    )
    return f"urn:escrow:{whose}:level:{judgement.ordered}"
