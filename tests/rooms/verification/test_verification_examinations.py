from datetime import UTC, datetime, timedelta

import pytest

from escrow.ledger.events import check_event_type
from escrow.verification.errors import ActOutOfTurn
from escrow.verification.examinations import (
    ATTEMPTS_MAX,
    DOCUMENTS_SEALED,
    REPORT_SIGNED,
    SHOWN_TO_OTHERS,
    SHOWN_TO_VENDOR,
    TRANSITIONS,
    Act,
    State,
    Waiting,
    act_of_beginning,
    is_concluded,
    is_passed_over,
    next_state,
    rest_seconds,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def waiting(number: int, line: str | None = "main") -> Waiting:
    return Waiting(number, line, NOON + timedelta(minutes=number))


def test_the_maps_are_total() -> None:
    assert set(TRANSITIONS) == set(Act)
    assert set(SHOWN_TO_VENDOR) == set(SHOWN_TO_OTHERS) == set(State)


def test_every_transition_writes_a_well_formed_event() -> None:
    for event in [row.event for row in TRANSITIONS.values()] + [REPORT_SIGNED, DOCUMENTS_SEALED]:
        check_event_type(event)
        assert event.startswith("verification:")


def test_every_state_but_the_last_leads_to_the_last() -> None:
    reaching = {State.DONE}
    for _ in State:
        reaching |= {
            s for row in TRANSITIONS.values() if row.target in reaching for s in row.sources
        }
    assert reaching == set(State)
    assert not any(State.DONE in row.sources for row in TRANSITIONS.values())


@pytest.mark.parametrize("state", [State.REPORTING, State.DONE])
def test_a_concluded_examination_is_never_opened_again(state: State) -> None:
    assert is_concluded(state)
    for act in (Act.BEGIN, Act.RESTART, Act.INTERRUPT, Act.CONCLUDE):
        with pytest.raises(ActOutOfTurn):
            next_state(act, state)


def test_work_left_by_a_dead_worker_is_taken_up_as_a_restart() -> None:
    assert act_of_beginning(State.BUILDING) is Act.RESTART
    assert act_of_beginning(State.QUEUED) is Act.BEGIN
    assert next_state(Act.RESTART, State.BUILDING) is State.OPENING


def test_attempts_end() -> None:
    assert rest_seconds(1) == 10
    assert rest_seconds(ATTEMPTS_MAX - 1) is not None
    assert rest_seconds(ATTEMPTS_MAX) is None


def test_a_newer_deposit_of_the_line_overtakes() -> None:
    assert is_passed_over(waiting(1), [waiting(2)], NOON, DAY, NOON + timedelta(hours=1))


def test_another_line_or_an_older_deposit_does_not_overtake() -> None:
    queue = [waiting(2, "v1"), waiting(0)]
    assert not is_passed_over(waiting(1), queue, NOON, DAY, NOON + timedelta(hours=1))
    assert not is_passed_over(waiting(1, None), [waiting(2, None)], NOON, DAY, NOON)


def test_no_line_waits_longer_than_a_day_however_fast_newer_ones_come() -> None:
    assert not is_passed_over(waiting(50), [waiting(51)], NOON, DAY, NOON + DAY)


def test_others_do_not_learn_how_far_an_examination_is() -> None:
    assert len({SHOWN_TO_OTHERS[state] for state in State}) == 3
