"""When custody is sound, an alarm, or impaired; and who alone could open or block."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from escrow.custody.standing import GRACE, TERM, ShareSeen, concentrated, custody_of
from escrow.testing.agreements import AgreementCast

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LOST, OVERDUE = TERM + GRACE, TERM


def seen(*ages: timedelta) -> list[ShareSeen]:
    return [ShareSeen(index, NOW - age) for index, age in enumerate(ages, 1)]


@pytest.mark.parametrize(
    ("lost", "standing"),
    [(0, "sound"), (1, "sound"), (2, "alarm"), (3, "custody-impaired"), (5, "custody-impaired")],
)
def test_three_of_five(lost: int, standing: str) -> None:
    ages = [LOST] * lost + [timedelta(days=1)] * (5 - lost)
    assert custody_of(1, 3, 5, seen(*ages), NOW).standing == standing


def test_the_last_moment_of_term_and_grace() -> None:
    second = timedelta(seconds=1)
    view = custody_of(2, 2, 4, seen(TERM - second, OVERDUE, LOST - second, LOST), NOW)
    assert (view.live, view.overdue) == ((1, 2, 3), (2, 3))
    assert view.due_at == NOW - GRACE + second


def test_nobody_is_live() -> None:
    assert custody_of(1, 2, 3, seen(LOST, LOST, LOST), NOW).due_at is None


def test_an_organisation_that_alone_could_open_or_block_is_named() -> None:
    terms = AgreementCast().agreement
    assert concentrated(terms) == {}
    first = terms.agents[0].organisation
    agents = (terms.agents[0], replace(terms.agents[1], organisation=first), terms.agents[2])
    assert concentrated(replace(terms, agents=agents)) == {first: 2}
