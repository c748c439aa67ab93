"""No word that came out of a deposit stands in a statement for anybody but the vendor."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from builders.findings import Finding, fields_of
from builders.findings_table import FINDING_TYPES
from builders.orders import (
    Artifact,
    ComponentPlan,
    ComponentResult,
    ImageId,
    InspectedPart,
    Inspection,
    Limits,
    ManifestEntry,
    MarkerFile,
    Observation,
    PhasePlan,
    PhaseResult,
    TrialBuildPlan,
    TrialBuildResult,
)
from escrow.evidence.statements import Stamp
from escrow.verification.judging import Custody, Terms, judge_examined
from escrow.verification.ladder import Level, Reason
from escrow.verification.outcomes import DocumentFacts, Outcome
from escrow.verification.parts import DepositFacts, SealedPart
from escrow.verification.report import (
    OTHER_CLASSES,
    Readers,
    predicate,
    report_statement,
)
from escrow.verification.status import summarise_report

NOW = datetime(2026, 3, 2, tzinfo=UTC)
CANARY = "CANARY"
DIGEST = "ca9a" * 16
STAMP = Stamp("Escrow", "demo", "1")
ALL_KINDS = frozenset({"summary", "findings", "identifiers", "manifest", "log"})
SUMMARY = frozenset({"summary"})
TERMS = Terms("agr_1", 1, Level.BUILD, Custody("sealed", 2, 3, 2), {})
SALTS = {"": "cd" * 16, "agr_1": "ab" * 16}

words = st.text("abcXYZ/._-", max_size=12).map(lambda text: f"{CANARY}{text}")
findings = st.sampled_from(FINDING_TYPES).flatmap(
    lambda kind: st.builds(
        Finding,
        st.just(kind.code),
        st.fixed_dictionaries(dict.fromkeys(fields_of(kind), words)),
        words,
    )
)


def deposit_of(word: str) -> DepositFacts:
    git = {"refs": {word: DIGEST}, "commit": DIGEST, "pack_sha256": DIGEST}
    part = SealedPart("prt_1", "source", word, "tar", 5, "identity", DIGEST, DIGEST, NOW, None, git)
    return DepositFacts("dep_1", 7, "prd_1", NOW, (part,))


def outcome_of(word: str, verdict: str, found: list[Finding]) -> Outcome:
    limits = Limits(1.0, 1, 1, 1.0)
    inspection = Inspection(
        (InspectedPart(f"source/{word}", "source", "tar", 3, 9, DIGEST, DIGEST),),
        (ManifestEntry(word, word, "100644", 1, DIGEST, DIGEST),),
        (Observation(word, word, word, {word: word}),),
        (MarkerFile(word, {word: word}),),
        {word: word},
        word,
    )
    component = ComponentPlan(
        word, word, "python", "bookworm", word,
        (PhasePlan("build", (word,), {word: word}),), limits, (word,), (word,),
    )  # fmt: skip
    phase = PhaseResult("build", 1, False, False, False, 0.5, word.encode(), word.encode())
    artifacts = (Artifact(word, 3, DIGEST),)
    result = ComponentResult(
        word, verdict, (phase,), artifacts, tuple(found), ImageId(f"sha256:{DIGEST}")
    )
    documents = (DocumentFacts("manifest", DIGEST, 3), DocumentFacts("log", DIGEST, 3))
    return Outcome(
        "exa_1", 1, NOW, NOW, {"network": "none"}, inspection,
        TrialBuildPlan((component,), True, 0, tuple(found)),
        TrialBuildResult(verdict, (result,), tuple(found), DIGEST, 3, 0.5), documents,
    )  # fmt: skip


cases = st.tuples(words, st.sampled_from(["pass", "fail", "not-tested"]), st.lists(findings))


def statement_text(case: tuple[str, str, list[Finding]], kinds: frozenset[str]) -> str:
    word, verdict, found = case
    deposit, outcome = deposit_of(word), outcome_of(word, verdict, found)
    unbuilt = Reason.NOTHING_TO_BUILD
    judgement = judge_examined(TERMS, TERMS.ordered, found, outcome.result, unbuilt)
    readers = Readers(judgement, OTHER_CLASSES, kinds)
    sections = predicate(STAMP, deposit, outcome, readers, SALTS)
    return report_statement(deposit, sections, readers).decode()


@settings(max_examples=150, deadline=None)
@given(cases)
def test_no_word_and_no_digest_of_a_deposit_stands_in_a_summary(
    case: tuple[str, str, list[Finding]],
) -> None:
    text = statement_text(case, SUMMARY)
    assert CANARY not in text
    assert DIGEST not in text


@settings(max_examples=50, deadline=None)
@given(cases)
def test_digests_stay_out_where_only_findings_are_disclosed(
    case: tuple[str, str, list[Finding]],
) -> None:
    assert DIGEST not in statement_text(case, SUMMARY | {"findings"})


@settings(max_examples=50, deadline=None)
@given(cases)
def test_the_vendor_is_told_what_was_found(case: tuple[str, str, list[Finding]]) -> None:
    text = statement_text(case, ALL_KINDS)
    assert CANARY in text
    assert DIGEST in text


@settings(max_examples=50, deadline=None)
@given(cases)
def test_what_a_person_reads_first_of_a_summary_tells_no_more(
    case: tuple[str, str, list[Finding]],
) -> None:
    sections = json.loads(statement_text(case, SUMMARY))["predicate"]
    shown = json.dumps(summarise_report(sections))
    assert CANARY not in shown
    assert DIGEST not in shown


@given(words, words)
def test_two_deposits_with_equal_counts_differ_only_in_the_commitment(one: str, two: str) -> None:
    texts = [statement_text((word, "pass", []), SUMMARY) for word in (one, two)]
    commitments = [json.loads(text)["predicate"]["manifestCommitment"] for text in texts]
    assert texts[0].replace(commitments[0], "") == texts[1].replace(commitments[1], "")
