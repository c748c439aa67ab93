"""Verdicts: nothing is rounded up."""

import json

import pytest

from builders.errors import InspectionInvalid
from builders.findings import Finding
from builders.judging import component_verdict, judge_artifacts, whole_verdict
from builders.orders import Artifact, ComponentResult
from builders.outputs import Collected, Incomplete, parse_collected

OLD, NEW = "0" * 64, "1" * 64
FAILED = Finding("E-BUILD-NO-ARTIFACT", {}, "a")
OURS = Finding("E-OURS-ENGINE", {"problem": "x"}, "a")
FETCH = Finding("E-PLAN-FETCH-NOT-RUN", {}, "a")


def judged(*hashes, missing=()):
    artifacts = tuple(Artifact(f"out/{i}", 1, digest) for i, digest in enumerate(hashes))
    return [f.code for f in judge_artifacts("a", Collected(artifacts, missing), frozenset({OLD}))]


def test_new_results_are_good():
    assert judged(NEW) == []


def test_results_that_were_all_deposited_are_nothing_built():
    assert judged(OLD, OLD) == ["E-BUILD-NOTHING-BUILT"]


def test_some_copied_files_are_told():
    assert judged(OLD, NEW) == ["E-BUILD-ARTIFACT-DEPOSITED"]


def test_no_result_fails():
    assert judged() == ["E-BUILD-NO-ARTIFACT"]


def test_empty_files_are_no_result():
    collected = Collected((Artifact("out/x", 0, NEW),), ())
    assert [f.code for f in judge_artifacts("a", collected, frozenset())] == ["E-BUILD-NO-ARTIFACT"]


def test_named_artifact_that_is_missing_fails_beside_others():
    assert judged(NEW, missing=("*.whl",)) == ["E-BUILD-ARTIFACT-MISSING"]


@pytest.mark.parametrize(
    ("package", "code", "verdict"),
    [
        (Incomplete("out/p.whl", certain=("p.x",)), "E-BUILD-MODULE-MISSING", "fail"),
        (Incomplete("out/p.whl", doubtful=("p.x",)), "E-BUILD-MODULE-DOUBTFUL", "pass"),
    ],
)
def test_package_that_lacks_modules_fails_only_where_that_is_certain(package, code, verdict):
    collected = Collected((Artifact("out/p.whl", 1, NEW),), (), (package,))
    (finding,) = judge_artifacts("a", collected, frozenset())
    assert finding.code == code
    assert "p.x" in finding.sentence
    assert component_verdict([finding], ran=True) == verdict


def collected_document(**incomplete):
    row = {"path": "p.whl", "certain": ["p.x"], "doubtful": [], **incomplete}
    document = {"format": "escrow-artifacts/1", "artifacts": [], "missing": []}
    return json.dumps(document | {"incomplete": [row]}).encode()


def test_lacking_modules_are_read_from_the_document():
    (package,) = parse_collected(collected_document()).incomplete
    assert package == Incomplete("p.whl", certain=("p.x",))


@pytest.mark.parametrize(
    "fault", [{"path": 1}, {"path": "x" * 9000}, {"certain": None}, {"doubtful": ["m"] * 21}]
)
def test_malformed_row_of_an_incomplete_package_is_refused(fault):
    with pytest.raises(InspectionInvalid):
        parse_collected(collected_document(**fault))


@pytest.mark.parametrize(
    ("findings", "ran", "verdict"),
    [
        ([], True, "pass"),
        ([FETCH], True, "pass"),
        ([], False, "not-tested"),
        ([OURS], True, "error"),
        ([OURS, FAILED], True, "fail"),
        ([FAILED], False, "fail"),
    ],
)
def test_component_verdict(findings, ran, verdict):
    assert component_verdict(findings, ran=ran) == verdict


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "not-tested"], "not-tested"),
        (["pass", "not-tested", "error"], "error"),
        (["pass", "error", "fail"], "fail"),
        ([], "not-tested"),
    ],
)
def test_whole_verdict_is_the_worst(verdicts, whole):
    components = [ComponentResult(str(i), verdict) for i, verdict in enumerate(verdicts)]
    assert whole_verdict(components, ()) == whole


def test_failure_of_the_plan_fails_the_whole():
    unread = Finding("E-RECIPE-UNREADABLE", {"problem": "x"})
    assert whole_verdict([], [unread]) == "fail"
