"""Above the trial build, what one worker says counts only when another says it too."""

import pytest

from escrow.verification.ladder import (
    TWO_WORKERS,
    Level,
    LevelResult,
    Reason,
    Verdict,
    complete_ladder,
    level_reached,
    workers_who_passed,
)

ALL = tuple(LevelResult(level, Verdict.PASS) for level in Level)
ONE, OTHER = "11" * 32, "22" * 32


def test_two_workers_with_separate_keys_confirm_a_level() -> None:
    passed_by = workers_who_passed([(ONE, ALL), (OTHER, ALL)])
    assert level_reached(complete_ladder(ALL, passed_by)) is Level.REDEPLOY


@pytest.mark.parametrize("reports", [[], [(ONE, ALL)], [(ONE, ALL), (ONE, ALL)]])
def test_two_reports_of_one_worker_do_not_count(reports: list) -> None:
    ladder = complete_ladder(ALL, workers_who_passed(reports))
    assert level_reached(ladder) is Level.BUILD
    told = {one.level: (one.verdict, one.reason) for one in ladder if one.level in TWO_WORKERS}
    assert set(told.values()) == {(Verdict.NOT_TESTED, Reason.ONE_WORKER)}


def test_a_worker_who_did_not_pass_it_confirms_nothing() -> None:
    other = [*ALL[:4], LevelResult(Level.EQUIVALENCE, Verdict.FAIL)]
    ladder = complete_ladder(ALL, workers_who_passed([(ONE, ALL), (OTHER, other)]))
    assert level_reached(ladder) is Level.BUILD


def test_a_failure_that_one_worker_found_stands() -> None:
    found = [*ALL[:4], LevelResult(Level.EQUIVALENCE, Verdict.FAIL)]
    ladder = complete_ladder(found, workers_who_passed([(ONE, found)]))
    assert ladder[4].verdict is Verdict.FAIL
