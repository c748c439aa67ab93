"""What a server's answers mean."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.notices.delivery import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Outcome,
    answered,
    pause_after,
)


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        (250, b"2.0.0 queued", Outcome("accepted", "250 2.0.0")),
        (250, b"OK id=1", Outcome("accepted", "250")),
        (251, b"will forward", Outcome("accepted", "251")),
        (450, b"4.2.1 busy", Outcome("deferred", "450 4.2.1")),
        (452, b"full", Outcome("deferred", "452")),
        (550, b"5.1.1 no such mailbox", Outcome("refused", "550 5.1.1")),
        (554, b"", Outcome("refused", "554")),
        (421, b"4.3.2 shutting down", Outcome("deferred", "421 4.3.2", True)),
        (530, b"5.7.0 authenticate", Outcome("deferred", "530 5.7.0", True)),
        (354, b"odd", Outcome("deferred", "354")),
        (-1, b"", Outcome("deferred", "no-answer", True)),
    ],
)
def test_an_answer_and_what_it_means(code: int, text: bytes, outcome: Outcome) -> None:
    assert answered(code, text) == outcome


@pytest.mark.parametrize(
    "text", [b"ada@acme.example unknown", b"5.1 x", b"5.1.1234 x", b"\xff.1.1"]
)
def test_only_codes_are_kept_of_an_answer(text: bytes) -> None:
    assert answered(550, text).answer == "550"


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 12)]
    assert pauses[:4] == [FIRST_PAUSE * factor for factor in (1, 2, 4, 8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pause_after(10**9) == LONGEST_PAUSE == timedelta(hours=4)
