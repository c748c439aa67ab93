"""The table of a release request is whole: every step and state has all that belongs to it."""

from __future__ import annotations

import pytest

from agreements.requests import (
    EVENT,
    FINAL,
    FIRST,
    NEXT,
    NOTIFIED,
    TRANSITIONS,
    WHO,
    State,
    Step,
    diagram,
    next_state,
)


@pytest.mark.parametrize("table", [WHO, EVENT, NOTIFIED])
def test_every_step_is_in_every_map(table) -> None:
    assert set(table) == set(Step)


def test_every_state_says_what_happens_next() -> None:
    assert set(NEXT) == set(State)


def test_every_state_can_be_reached_from_the_first() -> None:
    reached, before = {FIRST}, set()
    while reached != before:
        before = set(reached)
        reached |= {to for (state, _), to in TRANSITIONS.items() if state in before}
    assert reached == set(State)


def test_an_end_is_left_by_nothing_but_a_late_word() -> None:
    assert {step for (state, step) in TRANSITIONS if state in FINAL} == {Step.OBJECT_LATE}


def test_no_way_leads_past_consent_or_silence() -> None:
    into = {step for (_, step), to in TRANSITIONS.items() if to is State.APPROVED}
    # A late word changes nothing; every other way is one of the two.
    assert into - {Step.OBJECT_LATE} == {Step.CONSENT, Step.FALL_SILENT}


def test_no_way_to_release_without_the_agents_round_and_an_intent() -> None:
    assert {key for key, to in TRANSITIONS.items() if to is State.RELEASED} == {
        (State.EXECUTING, Step.EXECUTE),
        (State.RELEASED, Step.OBJECT_LATE),
    }
    into = {key for key, to in TRANSITIONS.items() if to is State.EXECUTING}
    assert into == {(State.CONFIRMING, Step.INTEND), (State.EXECUTING, Step.OBJECT_LATE)}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_has_ended_is_not_withdrawn(state) -> None:
    assert next_state(state, Step.WITHDRAW) is None


def test_the_diagram_shows_every_transition() -> None:
    assert diagram().count("-->") == len(TRANSITIONS) + 1 + len(FINAL)
