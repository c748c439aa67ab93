"""The statements beside a report: of the published forms, and within each class."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult as ResultProto
from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
from in_toto_attestation.v1.statement_pb2 import Statement as StatementProto

from builders.findings import Finding, fields_of, finding_type
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
    PhasePlan,
    TrialBuildPlan,
    TrialBuildResult,
)
from escrow.evidence.statements import (
    PROVENANCE_TYPE,
    RESULTS_TYPE,
    SBOM_TYPE,
    SUMMARY_TYPE,
    Stamp,
)
from escrow.verification.cases import CASES, case_of, results_of_cases
from escrow.verification.checks import level_of
from escrow.verification.judging import Custody, Judgement, Terms, judge_examined, judge_unexamined
from escrow.verification.ladder import Level, Reason
from escrow.verification.outcomes import DocumentFacts, Outcome
from escrow.verification.papers import Papers
from escrow.verification.parts import DepositFacts, SealedPart
from escrow.verification.report import OTHER_CLASSES, STATEMENT_KINDS, Readers

NOW = datetime(2026, 3, 2, tzinfo=UTC)
STAMP = Stamp("Trial Escrow", "demo", "1.0")
SECRET = "ledger-of-the-vendor"
PART = SealedPart("prt_1", "source", SECRET, "tar", 1, "identity", "ab" * 32, "cd" * 32, NOW)
DEPOSIT = DepositFacts("dep_1", 3, "prd_1", NOW, (PART,))
SUBJECTS = [("dep_1", "ee" * 32)]
STORE = f"{SECRET}/deps/pypi"
SHA512 = "sha512-" + base64.b64encode(bytes(range(64))).decode()
# As the inspector hands them on: the deposit's own words, whatever they are.
LOCKED = [
    ["left", "1.2.3", "sha1-" + base64.b64encode(bytes(20)).decode() + " " + SHA512],
    ["left", "1.2.3", SHA512],
    ["left", "2.0.0-rc.1+b.2", ""],
    ["@scope/right", "0.0.1", "sha512-AAAA md5-x sha384-\x00"],
    ["from-git", "git+ssh://somewhere/else.git#0123", SHA512],
    ["\x1b[31mbad name", "1.0.0", SHA512],
    ["half", "1.0.0"],
    [7, "1.0.0", SHA512],
    "nothing",
]
INSPECTION = Inspection(
    parts=(InspectedPart(PART.label, "source", "tar", 4, 10),),
    entries=(
        ManifestEntry(PART.label, f"{STORE}/markupsafe-2.1.5.tar.gz", "100644", 9, "11" * 32),
        ManifestEntry(PART.label, f"{STORE}/Flask-3.0.0-py3-none-any.whl", "100644", 9, "22" * 32),
        ManifestEntry(PART.label, f"{STORE}/\x1b[31mbad name.whl", "100644", 9, "33" * 32),
        ManifestEntry(PART.label, "node_modules/@scope/tool/package.json", "100644", 9, "44" * 32),
    ),
    markers=(
        MarkerFile("pyproject.toml", {"dependencies": ["flask>=3", "click"], "requires": []}),
        MarkerFile("package.json", {"dependencies": ["left", "@scope/right", "from-git"]}),
        MarkerFile("package-lock.json", {"packages": 7, "locked": LOCKED, "locked_cut": False}),
    ),
)
PLAN = TrialBuildPlan(
    (
        ComponentPlan(
            name="core",
            directory=SECRET,
            ecosystem="python",
            suite="bookworm",
            because="pyproject.toml",
            phases=(PhasePlan("build", (f"make {SECRET}",)),),
            limits=Limits(1, 1, 1, 1),
        ),
    ),
    drafted=True,
    source_date_epoch=1,
)
RESULT = TrialBuildResult(
    "pass",
    (
        ComponentResult(
            "core",
            "pass",
            artifacts=(Artifact(f"out/{SECRET}.whl", 5, "55" * 32),),
            image=ImageId("sha256:" + "66" * 32),
        ),
    ),
)
OUTCOME = Outcome(
    examination_id="exa_1",
    attempt=1,
    begun_at=NOW,
    finished_at=NOW + timedelta(minutes=2),
    isolation={"runtime": "runc"},
    inspection=INSPECTION,
    plan=PLAN,
    result=RESULT,
    documents=(DocumentFacts("kit", "77" * 32, 5),),
    worker="88" * 32,
)
TERMS = Terms(
    "agr_1",
    2,
    Level.BUILD,
    Custody("sealed", 2, 3, 2),
    dict.fromkeys(OTHER_CLASSES, frozenset({"summary"})),
)


def judged(*codes: str, terms: Terms | None = None) -> Judgement:
    findings = [Finding(code, dict.fromkeys(fields_of(finding_type(code)), "1")) for code in codes]
    return judge_examined(terms, Level.BUILD, findings, RESULT, Reason.NOTHING_TO_BUILD)


def papers(readers: Readers, outcome: Outcome = OUTCOME) -> dict[str, dict]:
    made = Papers(STAMP, DEPOSIT, outcome, readers).beside(b"{}", SUBJECTS)
    values = [json.loads(one) for one in made]
    return {one["predicateType"]: one for one in values}


@pytest.fixture
def vendors() -> dict[str, dict]:
    return papers(Readers(judged(), ("vendor",), STATEMENT_KINDS))


def test_every_registered_finding_is_of_one_case_at_its_level() -> None:
    for code in (one.code for one in FINDING_TYPES if not one.code.startswith("E-OURS-")):
        assert case_of(code).level is level_of(code), code
    assert len({one.number for one in CASES}) == len(CASES)


def test_the_vendor_gets_all_four(vendors: dict[str, dict]) -> None:
    assert set(vendors) == {RESULTS_TYPE, SUMMARY_TYPE, PROVENANCE_TYPE, SBOM_TYPE}


def test_they_are_of_the_published_forms(vendors: dict[str, dict]) -> None:
    """The parsers refuse an unknown member, so what passes is of the schema and nothing else."""
    forms = {RESULTS_TYPE: ResultProto, PROVENANCE_TYPE: Provenance}
    for kind, one in vendors.items():
        json_format.ParseDict(one, StatementProto())
        if kind in forms:
            json_format.ParseDict(one["predicate"], forms[kind]())
    # The schema's file has one string where its specification has a list; all else is compared.
    summary = dict(vendors[SUMMARY_TYPE]["predicate"])
    assert summary.pop("verifiedLevels") == ["ESCROW_BUILD"]
    json_format.ParseDict(summary, VerificationSummary())


def test_the_bill_of_materials_is_valid_cyclonedx(vendors: dict[str, dict]) -> None:
    bom = vendors[SBOM_TYPE]["predicate"]
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom))
    assert found is None
    listed = {one["purl"]: one for one in bom["components"] if "purl" in one}
    assert set(listed) == {
        "pkg:pypi/markupsafe@2.1.5",
        "pkg:pypi/flask@3.0.0",
        "pkg:pypi/click",
        "pkg:npm/%40scope/tool",
        "pkg:npm/left@1.2.3",
        "pkg:npm/left@2.0.0-rc.1%2Bb.2",
        "pkg:npm/%40scope/right@0.0.1",
        "pkg:npm/from-git",
    }
    assert listed["pkg:pypi/markupsafe@2.1.5"]["hashes"][0]["content"] == "11" * 32
    properties = {one["name"]: one["value"] for one in bom["metadata"]["properties"]}
    assert properties["escrow:locked-packages"] == "7"


def test_npm_packages_carry_the_versions_and_digests_of_the_deposits_lock(vendors) -> None:
    bom = vendors[SBOM_TYPE]["predicate"]
    left = [one for one in bom["components"] if one.get("purl") == "pkg:npm/left@1.2.3"]
    assert len(left) == 1
    digests = {one["alg"]: one["content"] for one in left[0]["hashes"]}
    assert digests["SHA-512"] == bytes(range(64)).hex()
    assert left[0]["properties"] == [{"name": "escrow:known-from", "value": "lock file"}]
    (right,) = (one for one in bom["components"] if one["name"] == "@scope/right")
    # What is no digest is left out, and the version stays.
    assert (right["version"], right.get("hashes")) == ("0.0.1", None)
    (git,) = (one for one in bom["components"] if one["name"] == "from-git")
    assert "version" not in git


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_lock_of_which_rows_were_left_out_makes_a_list_in_part(is_cut: bool) -> None:
    marker = MarkerFile("package-lock.json", {"packages": 9, "locked": [], "locked_cut": is_cut})
    outcome = replace(OUTCOME, inspection=replace(INSPECTION, markers=(marker,)))
    bom = papers(Readers(judged(), ("vendor",), STATEMENT_KINDS), outcome)[SBOM_TYPE]["predicate"]
    listed = {one["name"]: one["value"] for one in bom["metadata"]["properties"]}
    assert listed["escrow:listed"] == ("in part" if is_cut else "every file")


def test_the_bill_of_materials_can_be_made_again(vendors: dict[str, dict]) -> None:
    again = papers(Readers(judged(), ("vendor",), STATEMENT_KINDS))
    assert again == vendors


def test_others_learn_that_it_builds_and_not_what_it_is() -> None:
    readers = Readers(judged(terms=TERMS), OTHER_CLASSES, frozenset({"summary"}))
    made = papers(readers)
    assert set(made) == {RESULTS_TYPE, SUMMARY_TYPE}
    text = json.dumps(made)
    for held in (SECRET, "markupsafe", "ab" * 32, "11" * 32, "55" * 32, "66" * 32, "77" * 32):
        assert held not in text
    assert made[SUMMARY_TYPE]["predicate"]["policy"]["uri"].startswith("urn:escrow:agreement:agr_1")


def test_whoever_may_see_the_list_alone_gets_no_provenance() -> None:
    readers = Readers(judged(terms=TERMS), ("auditor",), frozenset({"summary", "sbom"}))
    assert set(papers(readers)) == {RESULTS_TYPE, SUMMARY_TYPE, SBOM_TYPE}


def test_our_own_error_is_attested_in_no_word_of_others() -> None:
    judgement = judge_unexamined(None, Level.BUILD, (), Reason.SANDBOX_UNSAFE)
    outcome = Outcome("exa_1", 1, NOW, NOW, {})
    assert papers(Readers(judgement, ("vendor",), STATEMENT_KINDS), outcome) == {}


def test_a_failure_verifies_no_level_and_names_the_case() -> None:
    made = papers(Readers(judged("E-INVENTORY-LFS-POINTER"), ("vendor",), STATEMENT_KINDS))
    results, summary = (made[one]["predicate"] for one in (RESULTS_TYPE, SUMMARY_TYPE))
    assert (results["result"], summary["verificationResult"]) == ("FAILED", "FAILED")
    assert summary["verifiedLevels"] == ["FAILED"]
    assert results["failedTests"] == ["V03 large files are no pointers"]


def test_what_comes_behind_a_failed_case_counts_as_asked_nowhere() -> None:
    judgement = judged("E-UNPACK-BOMB")
    results = results_of_cases(judgement.ladder, judgement.findings, Level.BUILD)
    assert [one.number for one in results.failed] == ["I02"]
    assert not {"I03", "I04"} & {one.number for one in results.passed}


def test_a_warning_is_not_rounded_up() -> None:
    made = papers(Readers(judged("E-INVENTORY-NO-DOCS"), ("vendor",), STATEMENT_KINDS))
    results = made[RESULTS_TYPE]["predicate"]
    assert results["result"] == "WARNED"
    assert results["warnedTests"] == ["V05 instructions are there"]
