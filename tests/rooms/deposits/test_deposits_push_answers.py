"""The answers to a push, read as git reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from escrow.deposits import push_answers
from escrow.deposits.drafts import StoredDeposit
from escrow.deposits.errors import DepositUnfinished, PushUnsure
from escrow.deposits.git_wire import AnswerReader, PushReport
from escrow.deposits.push_answers import Place, TakenPush
from escrow.deposits.repeats import EarlierPush, is_repetition
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import Unavailable
from escrow.ground.identifiers import DepositId, ProductId

REFS = ["refs/heads/main", "refs/tags/v1"]
PLACE = Place("acme/engine", "https://escrow.example/7")
STORED = StoredDeposit(
    DepositId("dep_1"), ProductId("prd_1"), 7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
)
UNFINISHED = DepositUnfinished("Deposit 7 is stored; its receipt waits.", "It follows.", STORED)


def read(answer: bytes) -> tuple[PushReport, str]:
    """Return the report and the remote lines of an answer."""
    reader = AnswerReader()
    shown = reader.feed(answer)
    return PushReport.parse(reader.report), shown.decode()


def test_a_complete_push_is_ok_for_every_ref() -> None:
    taken = TakenPush(STORED.id, 7, 5, 2048, Sha256Hex("a" * 64))
    report, shown = read(push_answers.complete(taken, PLACE, REFS))
    assert report.refs == {"refs/heads/main": None, "refs/tags/v1": None}
    assert "logged as deposit 7 of acme/engine\n" in shown
    repeated = replace(taken, is_repeated=True)
    assert (
        "which came with an earlier push" in read(push_answers.complete(repeated, PLACE, REFS))[1]
    )


def test_a_push_that_is_not_stored_is_refused_for_every_ref() -> None:
    report, _ = read(push_answers.not_stored(Unavailable("The disk is full.", "Wait."), REFS))
    assert report.refs == dict.fromkeys(REFS, "not stored, push again: The disk is full.")


def test_a_push_that_waits_for_its_receipt_is_neither_taken_nor_refused() -> None:
    report, shown = read(push_answers.not_complete(UNFINISHED, PLACE))
    assert (report.unpack, report.refs) == ("ok", {})
    assert "Deposit 7 is stored; its receipt waits." in shown
    assert "escrow receipt acme/engine#7" in shown
    assert push_answers.NOT_STORED not in shown


def test_a_push_of_which_nothing_is_known_is_neither_taken_nor_refused() -> None:
    report, shown = read(push_answers.unsure(PushUnsure("Not known.", "Push again.")))
    assert report.refs == {}
    assert "Not known." in shown
    assert push_answers.NOT_STORED not in shown


STATEMENT = b'{"predicate": {"agreements": [{"id": "agr_1", "version": 1}]}}'
EARLIER = EarlierPush({"refs/heads/main": "a" * 40}, STATEMENT, None)
IN_FORCE = [SimpleNamespace(agreement_id="agr_1", version=1)]


def test_the_same_refs_again_mean_the_deposit_that_nobody_was_told_of() -> None:
    assert is_repetition({"refs/heads/main": "a" * 40}, IN_FORCE, EARLIER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("refs", "agreements", "earlier"),
    [
        pytest.param({"refs/heads/main": "b" * 40}, IN_FORCE, EARLIER, id="another commit"),
        pytest.param({"refs/tags/v1": "a" * 40}, IN_FORCE, EARLIER, id="another ref"),
        pytest.param(
            EARLIER.refs,
            [*IN_FORCE, SimpleNamespace(agreement_id="agr_2", version=1)],
            EARLIER,
            id="another agreement came into force",
        ),
        pytest.param(
            EARLIER.refs,
            IN_FORCE,
            replace(EARLIER, acknowledged_at=STORED.sealed_at),
            id="the sender was told",
        ),
    ],
)
def test_anything_else_is_a_new_deposit(
    refs: dict[str, str], agreements: list[object], earlier: EarlierPush
) -> None:
    assert not is_repetition(refs, agreements, earlier)  # type: ignore[arg-type]
