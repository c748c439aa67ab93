from datetime import UTC, datetime, timedelta

import pytest

from builders.findings import Finding
from builders.findings_table import FINDING_TYPES
from builders.orders import InspectedPart, Inspection, TrialBuildResult
from escrow.verification.checks import (
    INCOMPLETE_CODES,
    Required,
    check_materials,
    check_parts,
    check_sealed_for,
    empty_parts,
    judge_levels,
    level_of,
    merge_required,
    unbuilt_reason,
    without_unopened,
)
from escrow.verification.ladder import Grade, Level, Reason, Verdict
from escrow.verification.parts import SealedPart

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NONE: frozenset[str] = frozenset()
DATA = Required("data", None, True, 30)


def part(kind: str = "data", *, days: int = 0, carried: bool = False, size: int = 10) -> SealedPart:
    as_of, origin = NOW - timedelta(days=days), "prt_0" if carried else None
    return SealedPart("prt_1", kind, "x", "tar", size, "identity", "", "", as_of, origin)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def missing_header() -> Finding:
    return Finding("E-BUILD-HEADER-MISSING", {"header": "zlib.h", "hint": ""})


def test_every_registered_code_weighs_at_a_level_or_is_ours() -> None:
    ours = [kind.code for kind in FINDING_TYPES if level_of(kind.code) is None]
    assert ours
    assert all(code.startswith("E-OURS-") for code in ours)


def test_codes_that_mean_incomplete_are_registered_failures() -> None:
    severities = {kind.code: kind.severity for kind in FINDING_TYPES}
    assert {severities[code] for code in INCOMPLETE_CODES} == {"fail"}


def test_an_unknown_code_has_no_level() -> None:
    with pytest.raises(KeyError):
        level_of("X-1")


def test_a_required_material_that_is_absent_is_found() -> None:
    assert codes(check_materials([], [DATA], frozenset(), NOW)) == ["E-MATERIAL-MISSING"]


def test_an_optional_one_is_only_mentioned() -> None:
    optional = Required("docs", None, False, None)
    findings = check_materials([], [optional], frozenset(), NOW)
    assert codes(findings) == ["E-MATERIAL-OPTIONAL-MISSING"]
    assert findings[0].severity == "info"


def test_a_named_material_is_not_met_by_another_name() -> None:
    named = Required("data", "ledger", True, None)
    assert codes(check_materials([part()], [named], frozenset(), NOW)) == ["E-MATERIAL-MISSING"]


def test_an_empty_part_does_not_meet_a_requirement() -> None:
    held = [part()]
    assert codes(check_materials(held, [DATA], frozenset({"data/x"}), NOW)) == ["E-MATERIAL-EMPTY"]
    assert codes(check_materials([part(size=0)], [DATA], frozenset(), NOW)) == ["E-MATERIAL-EMPTY"]


def test_a_carried_part_beyond_its_age_is_stale() -> None:
    old = part(days=31, carried=True)
    assert codes(check_materials([old], [DATA], frozenset(), NOW)) == ["E-MATERIAL-STALE"]
    young = part(days=30, carried=True)
    assert check_materials([young], [DATA], frozenset(), NOW) == []


def test_carried_source_is_untested_unless_its_own_deposit_was_proven() -> None:
    carried = part("source", carried=True)
    assert codes(check_parts([carried], NONE)) == ["E-MATERIAL-NOT-TOGETHER"]
    assert codes(check_parts([carried], frozenset({"prt_0"}))) == ["E-MATERIAL-CARRIED"]
    assert codes(check_parts([part("docs", carried=True)], NONE)) == ["E-MATERIAL-CARRIED"]


def test_credentials_are_said_to_be_unopened() -> None:
    assert codes(check_parts([part("credentials")], NONE)) == ["E-MATERIAL-CREDENTIALS-UNOPENED"]


def test_a_later_agreement_needs_carried_parts_anew() -> None:
    carried = part(carried=True)
    assert codes(check_sealed_for([carried], NONE)) == ["E-MATERIAL-NOT-FOR-AGREEMENT"]
    assert check_sealed_for([carried], frozenset({"prt_0"})) == []
    assert check_sealed_for([part()], NONE) == []


def test_terms_add_up_to_the_strictest() -> None:
    merged = merge_required(
        [Required("data", None, False, 90)], [Required("data", None, True, None)], [DATA]
    )
    assert merged == (Required("data", None, True, 30),)


def test_parts_without_content_are_empty() -> None:
    seen = Inspection((InspectedPart("data/x", "data", "tar", 1, 0),), ())
    assert empty_parts(seen) == frozenset({"data/x"})


def test_a_clean_build_passes_every_tested_level() -> None:
    levels = judge_levels([], TrialBuildResult("pass", ()))
    assert {one.verdict for one in levels} == {Verdict.PASS}
    assert levels[-1].grade is Grade.SELF_CONTAINED


def test_a_failing_finding_outweighs_a_runner_that_says_pass() -> None:
    build = judge_levels([missing_header()], TrialBuildResult("pass", ()))[-1]
    assert (build.verdict, build.grade) == (Verdict.FAIL, Grade.INCOMPLETE)


def test_what_is_not_built_says_why() -> None:
    nothing = Finding("E-PLAN-NOTHING-RECOGNISED")
    build = judge_levels([nothing], None)[-1]
    assert (build.verdict, build.reason) == (Verdict.NOT_TESTED, Reason.NOTHING_TO_BUILD)


def test_carried_source_alone_is_not_tested_and_its_earlier_result_stands() -> None:
    parts = [part("source", carried=True), part("data")]
    findings = check_parts(parts, frozenset({"prt_0"}))
    build = judge_levels(findings, None, unbuilt_reason(parts))[-1]
    assert build.reason is Reason.CARRIED_FORWARD


def test_a_build_beside_source_that_was_never_proven_is_rounded_up_to_nothing() -> None:
    findings = check_parts([part("source", carried=True)], NONE)
    build = judge_levels(findings, TrialBuildResult("pass", ()))[-1]
    assert (build.verdict, build.reason) == (Verdict.NOT_TESTED, Reason.CARRIED_FORWARD)


def test_a_component_that_could_not_be_planned_leaves_the_build_untested() -> None:
    facts = {"toolchain": "rust", "because": "Cargo.toml", "offered": "python"}
    findings = [Finding("E-PLAN-TOOLCHAIN-NOT-OFFERED", facts, "core")]
    build = judge_levels(findings, TrialBuildResult("pass", ()))[-1]
    assert build.reason is Reason.TOOLCHAIN_NOT_OFFERED


def test_nothing_is_said_of_a_build_that_a_lower_level_stopped() -> None:
    broken = Finding("E-UNPACK-UNREADABLE", {"part": "source/x", "media": "tar", "problem": "cut"})
    assert [one.level for one in judge_levels([broken], None)][-1] is Level.INVENTORY


def test_an_inspection_without_the_source_does_not_blame_a_deposit_that_carries_it() -> None:
    blamed = [Finding("E-UNPACK-NO-SOURCE"), Finding("E-INVENTORY-NO-DOCS")]
    assert without_unopened(blamed, [part("source", carried=True)]) == []
    assert without_unopened(blamed, [part("data")]) == blamed


def test_a_part_that_is_not_opened_here_leaves_integrity_untested() -> None:
    odd = Finding("E-UNPACK-FORMAT", {"part": "data/x", "media": "7z"})
    integrity = judge_levels([odd], TrialBuildResult("pass", ()))[1]
    assert (integrity.level, integrity.verdict) == (Level.INTEGRITY, Verdict.NOT_TESTED)
