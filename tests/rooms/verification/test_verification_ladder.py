import pytest

from escrow.verification.ladder import (
    ERROR_REASONS,
    LEVEL_TEXTS,
    REASON_TEXTS,
    Level,
    LevelResult,
    Reason,
    Verdict,
    complete_ladder,
    highest_of,
    level_reached,
    levels_up_to,
    meets_cadence,
    renews_badge,
    verdict_of,
    worst_of,
)


def passed(*levels: Level) -> list[LevelResult]:
    return [LevelResult(level, Verdict.PASS) for level in levels]


BUILT = levels_up_to(Level.BUILD)


def test_every_level_and_every_reason_has_its_text() -> None:
    assert set(LEVEL_TEXTS) == set(Level)
    assert set(REASON_TEXTS) == set(Reason)
    assert all(text.pass_tells and text.pass_does_not_tell for text in LEVEL_TEXTS.values())


def test_all_levels_up_to_the_ordered_one_pass() -> None:
    ladder = complete_ladder(passed(*BUILT))
    assert verdict_of(ladder, Level.BUILD) is Verdict.PASS
    assert level_reached(ladder) is Level.BUILD
    assert renews_badge(ladder)


def test_a_level_that_is_not_offered_never_counts_as_pass() -> None:
    ladder = complete_ladder(passed(*BUILT))
    assert verdict_of(ladder, Level.EQUIVALENCE) is Verdict.NOT_TESTED
    assert ladder[-1].reason is Reason.LEVEL_NOT_OFFERED


def test_a_failed_level_outweighs_our_error_and_both_outweigh_not_tested() -> None:
    assert worst_of([Verdict.ERROR, Verdict.FAIL, Verdict.NOT_TESTED]) is Verdict.FAIL
    assert worst_of([Verdict.ERROR, Verdict.NOT_TESTED, Verdict.PASS]) is Verdict.ERROR
    assert worst_of([Verdict.NOT_TESTED, Verdict.PASS]) is Verdict.NOT_TESTED
    assert worst_of([]) is Verdict.NOT_TESTED


def test_a_build_that_passes_above_a_failed_inventory_renews_no_badge() -> None:
    ladder = complete_ladder(
        [
            *passed(Level.RECEIVED, Level.INTEGRITY, Level.BUILD),
            LevelResult(Level.INVENTORY, Verdict.FAIL),
        ]
    )
    assert level_reached(ladder) is Level.INTEGRITY
    assert not renews_badge(ladder)


def test_an_untested_level_breaks_the_chain() -> None:
    ladder = complete_ladder(passed(Level.RECEIVED, Level.INVENTORY, Level.BUILD))
    assert level_reached(ladder) is Level.RECEIVED
    assert ladder[1].reason is Reason.LOWER_LEVEL_NOT_PASSED


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR, Verdict.NOT_TESTED])
def test_only_pass_meets_the_cadence(verdict: Verdict) -> None:
    assert meets_cadence(Verdict.PASS)
    assert not meets_cadence(verdict)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict.NOT_TESTED, None),
        (Verdict.NOT_TESTED, Reason.SERVICE_FAILED),
        (Verdict.ERROR, None),
        (Verdict.ERROR, Reason.SUPERSEDED),
        (Verdict.PASS, Reason.WAIVED),
        (Verdict.FAIL, Reason.ENGINE_UNAVAILABLE),
    ],
)
def test_a_result_without_a_fitting_reason_cannot_be_made(
    verdict: Verdict, reason: Reason | None
) -> None:
    with pytest.raises(ValueError, match="does not go with"):
        LevelResult(Level.BUILD, verdict, reason)


def test_reasons_of_ours_are_known_as_such() -> None:
    assert {reason for reason in Reason if reason.is_ours} == ERROR_REASONS


def test_an_incomplete_ladder_is_not_tested_rather_than_passed() -> None:
    assert verdict_of(passed(Level.RECEIVED), Level.BUILD) is Verdict.NOT_TESTED


def test_the_highest_of_several_orders_is_tested() -> None:
    assert highest_of([Level.BUILD, Level.INVENTORY]) is Level.BUILD
    assert highest_of([]) is Level.RECEIVED
