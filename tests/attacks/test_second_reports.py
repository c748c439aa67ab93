"""Somebody wants one worker's word to count for two."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence.bundles import sign_statement
from escrow.evidence.checking import CheckedDocument, check_document
from escrow.evidence.confirmations import NOT_GIVEN, confirmed_by, tells_of
from escrow.evidence.errors import ConfirmationBroken, EvidenceFails, SignedByOtherWorker
from escrow.evidence.statements import STATEMENT_FIELD, statement
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.appending import Scribe
from escrow.ledger.chains import read_chain, verify_chain
from escrow.ledger.comparing import compare_states
from escrow.ledger.events import NewEvent, Stream
from escrow.releases.offers import reporters, verdicts
from escrow.testing.runners import build_fails
from escrow.testing.verification import AGREEMENT, PRODUCT, SECOND_WORKER, VerificationWorld
from escrow.verification import records
from escrow.verification.comparing import COMPARERS
from escrow.verification.examinations import CONFIRMATION_SIGNED, REPORT_SIGNED


@pytest.fixture
def two(tmp_path: Path) -> Iterator[VerificationWorld]:
    made = VerificationWorld(tmp_path, two_workers=True)
    yield made
    made.close()


def _row(two: VerificationWorld, deposit_id: DepositId, *, second: bool) -> records.ReportRow:
    with two.database.reading() as session:
        row = records.report_of(
            session, deposit_id, "agent", AgreementId(AGREEMENT), confirming=second
        )
    assert row is not None
    return row


def _checked(two: VerificationWorld, row: records.ReportRow) -> CheckedDocument:
    return check_document(json.dumps(row.document), two.ledger.trust_root)


def _pair(two: VerificationWorld) -> tuple[DepositId, CheckedDocument, CheckedDocument]:
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    two.confirm(two.second_worker(), deposit_id)
    first, second = (_row(two, deposit_id, second=one) for one in (False, True))
    return deposit_id, _checked(two, first), _checked(two, second)


def _signed(two: VerificationWorld, key: str, predicate: dict[str, object]) -> CheckedDocument:
    """Sign and log a report with a worker's own key, as a worker that was taken over can."""
    signer = two.ledger.key(key)
    text = statement([("dep_1", "ab" * 32)], "urn:escrow:verification-report:v1", predicate)
    unproven = sign_statement(text, signer)
    data = {STATEMENT_FIELD: unproven.statement_sha256}
    event = NewEvent(Stream("product", PRODUCT), CONFIRMATION_SIGNED, "worker", data)
    with two.database.writing() as session:
        entry = Scribe("worker", signer, two.clock).append(session, event)
    two.ledger.sequence()
    document = unproven.with_proof(two.ledger.proof(entry.entry_sha256))
    return check_document(document.to_json(), two.ledger.trust_root)


def _said(second: CheckedDocument) -> dict[str, object]:
    return dict(second.statement.predicate)


def test_an_honest_pair_is_told_as_two_workers(two: VerificationWorld) -> None:
    _, first, second = _pair(two)
    assert confirmed_by(second, [first, second]) == first
    told = tells_of(second, [first, second])
    assert told["workers"] == [first.key_id, second.key_id]
    assert told["agree"] is True
    assert tells_of(first, [first, second]) == {}
    with two.database.reading() as session:
        assert compare_states(session, COMPARERS, lambda _: None) == []


def test_the_first_report_is_kept_back(two: VerificationWorld) -> None:
    _, _, second = _pair(two)
    told = tells_of(second, [second])
    assert "workers" not in told
    assert NOT_GIVEN in str(told["could_not_tell"])


def test_one_workers_key_signs_both_reports(two: VerificationWorld) -> None:
    _, first, second = _pair(two)
    own = {"examination": {"id": "exa_2", "worker": first.key_id}}
    forged = _signed(two, "worker", {**_said(second), **own})
    with pytest.raises(ConfirmationBroken, match="no other worker"):
        confirmed_by(forged, [first, forged])


def test_one_worker_signs_the_second_report_in_the_others_name(two: VerificationWorld) -> None:
    _, _, second = _pair(two)
    # The honest second report says who made it: signed by the first one's key it is none.
    with pytest.raises(SignedByOtherWorker):
        _signed(two, "worker", _said(second))


def test_the_second_workers_statement_of_another_deposit(two: VerificationWorld) -> None:
    _, _, second = _pair(two)
    other = two.sealed_deposit()
    two.verify(other)
    first = _checked(two, _row(two, other, second=False))
    # It names the report of its own deposit, and so nothing of the other.
    assert confirmed_by(second, [first, second]) is None
    confirms = {**second.predicate["confirms"], "statementSha256": first.statement.sha256}  # type: ignore[dict-item]
    forged = _signed(two, SECOND_WORKER, {**_said(second), "confirms": confirms})
    with pytest.raises(ConfirmationBroken, match="another deposit"):
        confirmed_by(forged, [first, forged])


def test_a_second_report_names_a_third_worker_as_the_first(two: VerificationWorld) -> None:
    _, first, second = _pair(two)
    confirms = {**second.predicate["confirms"], "worker": "ab" * 32}  # type: ignore[dict-item]
    forged = _signed(two, SECOND_WORKER, {**_said(second), "confirms": confirms})
    with pytest.raises(ConfirmationBroken, match="another worker"):
        confirmed_by(forged, [first, forged])


def _invent(two: VerificationWorld, deposit_id: DepositId) -> None:
    """Write a second worker's rows, as whoever owns the database can."""
    first, row = two.examination(deposit_id), _row(two, deposit_id, second=False)
    with two.database.writing() as session:
        worker = two.ledger.key(SECOND_WORKER).public.key_id
        values = first.model_dump() | {"id": "exa_x", "round": 2, "confirms": first.id}
        records.add(session, records.ExaminationRow(**values | {"worker": worker}))
        copied = row.model_dump() | {"examination_id": "exa_x", "statement_sha256": "ab" * 32}
        records.add(session, records.ReportRow(**copied))


def test_a_database_writer_invents_the_second_report(two: VerificationWorld) -> None:
    deposit_id = two.sealed_deposit()
    two.verify(deposit_id)
    _invent(two, deposit_id)
    with two.database.reading() as session:
        found = compare_states(session, COMPARERS, lambda _: None)
    assert len(found) == 1
    # Whoever asks for the paper gets the first one's again, which names no other worker.
    paper = _checked(two, _row(two, deposit_id, second=True))
    assert confirmed_by(paper, [paper]) is None
    assert "confirms" not in paper.predicate


def test_a_database_writer_changes_the_second_reports_words(two: VerificationWorld) -> None:
    deposit_id, _, _ = _pair(two)
    document = json.loads(json.dumps(_row(two, deposit_id, second=True).document))
    envelope = document["bundle"]["dsseEnvelope"]
    said = base64.b64decode(envelope["payload"]).replace(b'"verdict":"pass"', b'"verdict":"fail"')
    envelope["payload"] = base64.b64encode(said).decode()
    with pytest.raises(EvidenceFails):
        check_document(json.dumps(document), two.ledger.trust_root)


@pytest.mark.parametrize("change", ["entry", "level", "deposit"])
def test_a_database_writer_invents_the_first_report_for_the_second_to_cite(
    two: VerificationWorld, change: str
) -> None:
    two.runner.build = build_fails
    failed = two.sealed_deposit()
    two.verify(failed)
    two.runner.build = type(two.runner)(two.scratch).build
    passed = two.sealed_deposit()
    two.verify(passed)
    with two.database.writing() as session:
        row = records.newest_examination(session, failed)
        assert row is not None
        row.level, row.verdict = "build", "pass"
        records.add(session, row)
        good = records.newest_examination(session, passed)
        assert good is not None
        honest = records.reports_of_examination(session, good.id)  # type: ignore[arg-type]
        for report in records.reports_of_examination(session, row.id):  # type: ignore[arg-type]
            report.level, report.verdict, report.renews_badge = "build", "pass", True
            twin = next(one for one in honest if one.disclosure_class == report.disclosure_class)
            if change != "level":
                report.entry_sha256 = twin.entry_sha256
            if change == "deposit":
                report.statement_sha256 = twin.statement_sha256
            records.add(session, report)
    second = two.second_worker()
    second.queue(failed, second=True)
    assert second.examine(failed, "confirm-x", lambda: None, second=True) == "unproven"
    assert two.events("confirmation") == []


def test_a_second_failure_lowers_what_a_release_offers_and_nothing_raises_it() -> None:
    def event(kind: str, verdict: str) -> object:
        data = {"deposit_id": "dep_1", "verdict": verdict, "level": "build"}
        return type("Told", (), {"type": kind, "role": "worker", "data": data})()

    first = event(REPORT_SIGNED, "pass")
    for verdict, offered in (("fail", "fail"), ("error", "pass"), ("pass", "pass")):
        told = verdicts([first, event(CONFIRMATION_SIGNED, verdict)])  # type: ignore[list-item]
        assert told["dep_1"][0] == offered
    refused = event(REPORT_SIGNED, "fail")
    assert verdicts([refused, event(CONFIRMATION_SIGNED, "pass")])["dep_1"][0] == "fail"  # type: ignore[list-item]


def test_a_certificate_names_the_keys_that_signed_and_not_what_events_say(
    two: VerificationWorld,
) -> None:
    deposit_id, first, second = _pair(two)
    stream = Stream("agreement", AGREEMENT)
    with two.database.reading() as session:
        chain = read_chain(session, stream, from_sequence=0)
    assert chain is not None
    events = verify_chain(chain, two.ledger.keys, stream).events
    assert reporters(events) == {deposit_id: (first.key_id, second.key_id)}
    # The one key twice is one worker.
    again = [replace(one, key_id=first.key_id) for one in events]
    assert reporters(again) == {deposit_id: (first.key_id,)}
