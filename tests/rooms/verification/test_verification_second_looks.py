"""What one worker found buildable another examines again, and signs for itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.evidence.checking import CheckedDocument, check_document
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.testing.runners import build_errs, build_fails
from escrow.testing.verification import AGREEMENT, PRODUCT, SECOND_WORKER, VerificationWorld
from escrow.vault.errors import LaneClosed
from escrow.verification import records
from escrow.verification.confirming import (
    Confirmation,
    colleague_of,
    combined,
    confirmation_job,
    confirmation_of,
)
from escrow.verification.documents import read_report

DISAGREE = "E-BUILD-WORKERS-DISAGREE"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[VerificationWorld]:
    made = VerificationWorld(tmp_path, two_workers=True)
    yield made
    made.close()


def _first(two: VerificationWorld) -> DepositId:
    deposit_id = two.sealed_deposit()
    assert two.verify(deposit_id).verdict == "pass"
    return deposit_id


def _report(
    two: VerificationWorld, deposit_id: DepositId, *, confirming: bool, reader: str = "vendor"
) -> CheckedDocument:
    agreement = AgreementId("" if reader == "vendor" else AGREEMENT)
    with two.database.reading() as session:
        row = records.report_of(session, deposit_id, reader, agreement, confirming=confirming)
    assert row is not None
    document = read_report(row, two.blobs, two.keyholder, two.database)
    return check_document(json.dumps(document), two.ledger.trust_root)


def _badge(two: VerificationWorld) -> records.ExaminationRow | None:
    with two.database.reading() as session:
        return records.badge_of(session, PRODUCT)


def test_the_end_of_the_first_asks_the_other_and_leaves_the_lane_open(
    two: VerificationWorld,
) -> None:
    deposit_id = _first(two)
    assert two.keyholder.closed == []
    assert two.jobs.keys == [f"confirm-{two.examination(deposit_id).id}"]
    two.confirm(two.second_worker(), deposit_id)
    assert two.keyholder.closed == [deposit_id]
    assert len(two.jobs.keys) == 1


def test_two_reports_are_signed_by_two_keys_and_the_second_cites_the_first(
    two: VerificationWorld,
) -> None:
    deposit_id = _first(two)
    assert two.confirm(two.second_worker(), deposit_id).verdict == "pass"
    for reader in ("vendor", "beneficiary"):
        first = _report(two, deposit_id, confirming=False, reader=reader)
        second = _report(two, deposit_id, confirming=True, reader=reader)
        keys = [two.ledger.key(name).public.key_id for name in ("worker", SECOND_WORKER)]
        assert [first.key_id, second.key_id] == keys
        assert second.predicate["confirms"] == {
            "examination": two.examination(deposit_id).id,
            "worker": first.key_id,
            "statementSha256": first.statement.sha256,
        }
        assert "confirms" not in first.predicate


def test_the_second_opens_the_lane_for_itself(two: VerificationWorld) -> None:
    deposit_id = _first(two)
    two.keyholder.close_lane(deposit_id)
    row = two.confirm(two.second_worker(), deposit_id)
    assert (row.verdict, row.reason) == ("not-tested", "lane-closed")
    # That a lane had closed says nothing against the deposit.
    assert _badge(two) is not None
    with pytest.raises(LaneClosed):
        two.keyholder.open_for_verification(deposit_id)


def test_a_failure_of_the_second_is_a_disagreement_and_takes_the_badge(
    two: VerificationWorld,
) -> None:
    deposit_id = _first(two)
    assert _badge(two) is not None
    two.second_runner.build = build_fails
    row = two.confirm(two.second_worker(), deposit_id)
    assert row.verdict == "fail"
    assert _badge(two) is None
    with two.database.reading() as session:
        assert records.last_owed_of(session, PRODUCT, AgreementId(AGREEMENT)) is None
    second = _report(two, deposit_id, confirming=True)
    assert DISAGREE in json.dumps(second.predicate["findings"])
    assert DISAGREE in json.dumps(
        _report(two, deposit_id, confirming=True, reader="beneficiary").predicate["findingCounts"]
    )
    # What the first one found and signed is still what it found.
    assert _report(two, deposit_id, confirming=False).predicate["verdict"] == "pass"


def test_an_error_of_the_second_is_ours_and_lowers_nothing(two: VerificationWorld) -> None:
    deposit_id = _first(two)
    two.second_runner.build = build_errs
    second = two.second_worker()
    for _ in range(5):
        row = two.confirm(second, deposit_id)
    assert row.verdict == "error"
    badge = _badge(two)
    assert badge is not None
    assert badge.deposit_id == deposit_id
    findings = json.dumps(_report(two, deposit_id, confirming=True).predicate["findingCounts"])
    assert DISAGREE not in findings


def test_the_worker_that_examined_it_does_not_confirm_itself(two: VerificationWorld) -> None:
    deposit_id = _first(two)
    examination_id = two.examiner.queue(deposit_id, second=True)
    word = two.examiner.examine(deposit_id, "confirm-x", lambda: None, second=True)
    assert (bool(examination_id), word) == (True, "unproven")
    assert two.events("confirmation") == []


def test_what_did_not_build_is_not_looked_at_again(two: VerificationWorld) -> None:
    two.runner.build = build_fails
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    assert two.jobs.keys == []
    assert two.keyholder.closed == [deposit_id]
    assert two.second_worker().queue(deposit_id, second=True) == ""


def test_alone_a_worker_waits_for_nobody(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    assert world.keyholder.closed == [deposit_id]
    assert world.jobs.keys == []


def test_every_step_of_a_second_look_may_run_again(two: VerificationWorld) -> None:
    deposit_id = _first(two)
    second = two.second_worker()
    two.confirm(second, deposit_id)
    before = two.events()
    two.verify(deposit_id)
    two.confirm(second, deposit_id)
    assert two.events() == before
    assert len(two.events("confirmation:signed")) == 2
    assert two.keyholder.closed == [deposit_id]


def test_another_round_of_the_agents_is_numbered_behind_the_second_look(
    two: VerificationWorld,
) -> None:
    deposit_id = _first(two)
    two.confirm(two.second_worker(), deposit_id)
    # Nothing was opened again: the newest round stays the first worker's.
    two.examiner.queue(deposit_id)
    assert two.examination(deposit_id).round == 1


def test_each_worker_has_one_colleague_and_none_alone(two: VerificationWorld) -> None:
    workers = two.ledger.trust_root.workers
    ids = {name: key.key_id for name, key in workers.items()}
    assert colleague_of(workers, ids["worker"]) == SECOND_WORKER
    assert colleague_of(workers, ids[SECOND_WORKER]) == "worker"
    assert colleague_of({"worker": workers["worker"]}, ids["worker"]) is None
    assert colleague_of(workers, "0" * 64) is None
    assert len({confirmation_job(name) for name in workers}) == 2


def test_two_reports_add_up_to_the_worse_and_an_error_to_nothing() -> None:
    assert [combined("pass", one) for one in (None, "pass", "error", "not-tested")] == ["pass"] * 4
    assert combined("pass", "fail") == "fail"
    assert confirmation_of(None, None, is_asked=False) is Confirmation.ONE_WORKER
    assert confirmation_of(None, None, is_asked=True) is Confirmation.UNDER_WAY
    assert confirmation_of("build", "pass", is_asked=True) is Confirmation.TWO_WORKERS
    assert confirmation_of(None, "error", is_asked=True) is Confirmation.ONE_WORKER
    assert confirmation_of("integrity", "fail", is_asked=True) is Confirmation.DISAGREE
