from datetime import UTC, datetime, timedelta

from escrow.verification.examinations import State
from escrow.verification.status import Standing, cadence_of, show_standing

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RETRYING = Standing(State.RETRYING, attempt=3, next_attempt_at=NOW)


def test_a_deposit_without_an_examination_is_queued() -> None:
    assert show_standing(Standing(None), "vendor")["verification"] == "queued"


def test_the_vendor_is_told_of_our_error_and_when_it_is_tried_again() -> None:
    shown = show_standing(RETRYING, "vendor")
    assert shown["attempt"] == 3
    assert shown["next_attempt_at"] == "2026-03-02T00:00:00.000Z"


def test_others_are_not_told_how_far_it_is() -> None:
    shown = show_standing(RETRYING, "beneficiary")
    assert shown["verification"] == "being verified"
    assert "attempt" not in shown
    assert "next_attempt_at" not in shown


def test_a_verdict_that_is_no_pass_says_why() -> None:
    standing = Standing(State.DONE, verdict="error", reason="sandbox-unsafe", signed_at=NOW)
    shown = show_standing(standing, "agent")
    assert shown["because"] == "The sandbox of this installation did not pass its self-test."


def test_a_cadence_runs_from_the_last_deposit_that_passed() -> None:
    last = NOW - timedelta(days=40)
    cadence = cadence_of(last, NOW - timedelta(days=400), 30, 15, NOW)
    assert (cadence.days_since, cadence.is_overdue) == (40, False)
    assert cadence_of(last, last, 30, 5, NOW).is_overdue


def test_before_the_first_it_runs_from_the_agreement() -> None:
    cadence = cadence_of(None, NOW - timedelta(days=10), 30, 0, NOW)
    assert cadence.days_since is None
    assert cadence.due_at == NOW + timedelta(days=20)
