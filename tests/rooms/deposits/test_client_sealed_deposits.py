"""Deposits that their vendor sealed with stock age: taken, never opened, released byte for byte."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from builders.errors import SandboxUnsafe
from escrow.custody import records as custody
from escrow.deposits import records as deposits
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.statements import parse_statement
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.testing.client_sealed import AGENTS, ClientSealedWorld
from escrow.testing.endings import Endings
from escrow.vault import records as vault
from escrow.vault.age_format import split_header
from escrow.vault.headers import CLIENT_LOCK
from escrow.vault.releasing import newest_agents_records

SECRET = b"a tar that no program of the service may see\n" * 5000


@pytest.fixture
def world(client_sealed_world: ClientSealedWorld) -> ClientSealedWorld:
    return client_sealed_world


def test_it_is_received_said_to_be_not_verifiable_and_never_opened(world) -> None:
    sealed = world.seal(SECRET)
    deposit = world.deposit_sealed(sealed)
    # Whoever opened a bench for it would get this.
    world.runner.problem = SandboxUnsafe("every", "nothing is to be opened")
    world.verify(deposit)
    shown = world.do("GET", f"/deposits/{deposit}", "vendor")
    assert (shown["verdict"], shown["level"], shown["reason"]) == (
        "not-tested",
        "received",
        "client-sealed",
    )
    assert "received, not verifiable" in shown["because"]
    [part] = shown["parts"]
    assert part["sealing"] == "client-sealed"
    assert part["sha256"] == hashlib.sha256(sealed).hexdigest()
    for who in ("beneficiary", "agent_1"):
        report = predicate_of(world.do("GET", f"/deposits/{deposit}/report", who)["document"])
        assert (report["verdict"], report["levelReached"]) == ("not-tested", "received")
        assert (report["renewsBadge"], report["meetsCadence"]) == (False, False)
        untested = [one for one in report["levels"] if one["level"] != "received"][:3]
        assert [one["reason"] for one in untested] == ["client-sealed"] * 3
        assert all("received, not verifiable" in one["because"] for one in untested)
        assert report["counts"]["partsClientSealed"] == 1


def test_receipt_names_header_epoch_and_that_nothing_can_be_verified(world) -> None:
    sealed = world.seal(SECRET)
    deposit = world.deposit_sealed(sealed, epoch="1")
    receipt = world.do("GET", f"/deposits/{deposit}/receipt", "vendor")
    header, payload = split_header(sealed)
    [part] = predicate_of(receipt)["parts"]
    assert part["clientSealed"] == {
        "agreement": world.agreement,
        "epoch": 1,
        "headerSha256": hashlib.sha256(header).hexdigest(),
        "verification": "received, not verifiable",
    }
    assert part["payloadSha256"] == hashlib.sha256(payload).hexdigest()
    with world.database.reading() as session:
        [row] = deposits.parts_of(session, DepositId(deposit))
        # Under Lock B now, and nowhere outside it.
        assert row.client_header is None and row.lane_header == b""
        [record] = vault.header_records_of(session, DepositId(deposit))
        assert (record.lock, record.epoch) == (CLIENT_LOCK, 1)
        assert header not in record.record


def predicate_of(document: dict[str, object]) -> dict[str, Any]:
    signed = SignedDocument.from_json(json.dumps(document))
    predicate: dict[str, Any] = parse_statement(signed.envelope.payload).predicate
    return predicate


def test_it_is_released_to_stock_age_byte_for_byte_across_epochs(world, tmp_path) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    world.verify(deposit)
    shown = world.hold_session()
    # The session re-verifies what the service sealed, and hands the worker no key of this.
    assert deposit not in shown["reopened"]
    assert world.sealing_key().epoch == 2
    later = world.deposit_sealed(world.seal(SECRET[::-1]))
    index = world.release()
    assert world.opened_by_beneficiary(index, deposit, tmp_path) == SECRET
    assert world.opened_by_beneficiary(index, later, tmp_path) == SECRET[::-1]
    assert index["not_opened"] == []
    said = predicate_of(index["certificate"])["clientSealed"]
    assert said["verification"] == "received, not verifiable" and len(said["parts"]) == 2


def test_a_resharing_to_other_epochs_keeps_lock_and_commitment(world) -> None:
    world.deposit_sealed(world.seal(SECRET))
    world.hold_session()
    with world.database.reading() as session:
        rows = vault.headers_of_agreement(session, AgreementId(world.agreement))
        fresh = newest_agents_records(rows, frozenset({2})).values()
    assert [one.epoch for one in fresh if one.lock == CLIENT_LOCK] == [2]


def test_an_old_epoch_is_refused_before_a_byte_is_sent(world) -> None:
    sealed = world.seal(SECRET)
    world.hold_session()
    answer = world.try_uploading(
        world.draft(), "source/core", "tar", sealed, **world.said(epoch="1")
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "deposits.sealing-key-not-current")
    assert "current key is of epoch 2" in answer.text


def test_a_key_that_changes_while_a_draft_is_open_is_told_at_its_end(world) -> None:
    draft = world.draft()
    world.upload(draft, "source/core", "tar", world.seal(SECRET), **world.said())
    world.hold_session()
    answer = world.ask("POST", f"/deposits/{draft}/finish", "vendor")
    assert answer.json()["code"] == "deposits.sealing-key-not-current"


def test_while_a_new_key_waits_for_its_canary_none_is_given_out(world) -> None:
    held = world.begin_session("session")
    for agent in AGENTS:
        world.answer(held, agent)
    answer = world.ask("GET", f"/agreements/{world.agreement}/sealing-key", "vendor")
    assert (answer.status_code, answer.json()["code"]) == (409, "deposits.sealing-key-not-current")


def test_it_is_carried_forward_and_leaves_what_follows_not_tested(world) -> None:
    world.deposit_sealed(world.seal(SECRET), "data/dump")
    later = world.deposit()
    world.verify(later)
    shown = world.do("GET", f"/deposits/{later}", "vendor")
    assert (shown["verdict"], shown["reason"]) == ("not-tested", "client-sealed")
    carried = [one for one in shown["parts"] if one["carried"] and one["kind"] == "data"]
    assert carried[0]["verification"] == "received, not verifiable"


def test_it_is_withdrawn_and_shredded_like_any_other(world) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    world.verify(world.deposit())
    endings = Endings(world)
    endings.withdraw(deposit)
    endings.pass_quarantine()
    world.rooms.endings.push_all_on()
    with world.database.reading() as session:
        assert vault.header_records_of(session, DepositId(deposit)) == []
        row = deposits.deposit_by_id(session, DepositId(deposit))
    assert row is not None and row.state == "shredded"
    # Nothing is left that could be said not to open.
    world.hold_session()
    assert world.custody()["not_opening"] == []


def test_one_deposit_is_sealed_by_its_vendor_or_by_the_service(world) -> None:
    draft = world.draft()
    world.upload(draft, "source/core", "tar", world.seal(SECRET), **world.said())
    answer = world.try_uploading(draft, "data/dump", "file", b"in the clear")
    assert answer.json()["code"] == "deposits.sealings-mixed"


def test_an_agreement_that_is_not_in_force_cannot_be_named(world) -> None:
    answer = world.try_uploading(
        world.draft(), "source/core", "tar", world.seal(SECRET), **world.said(agreement="agr_other")
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "deposits.agreement-not-named")
    assert world.agreement in answer.json()["remedy"]


def second_agreement(world) -> str:
    """Bring another agreement on the same product into force."""
    agreement = world.file(world.cast.text.replace("Escrow of the", "Another of the"))
    shown = world.do("GET", f"/agreements/{agreement}", "vendor")
    subject = {name: shown[name] for name in ("version", "text_sha256")}
    for who in ("vendor", "beneficiary", *AGENTS):
        world.act(agreement, who, "accept-agreement", {"agreement_id": agreement, **subject})
    world.prove_recipients(agreement, ("beneficiary_primary", "beneficiary_recovery"))
    world.do("POST", f"/agreements/{agreement}/ceremony", "operator")
    world.open_canary(agreement)
    return agreement


def test_of_two_agreements_it_serves_the_named_one_and_the_other_is_told(world) -> None:
    other = second_agreement(world)
    sealed = world.seal(SECRET)
    unnamed = world.try_uploading(
        world.draft(), "source/core", "tar", sealed, sealing="client-sealed"
    )
    assert unnamed.json()["code"] == "deposits.agreement-not-named"
    assert other in unnamed.json()["remedy"]
    deposit = world.deposit_sealed(sealed)
    receipt = predicate_of(world.do("GET", f"/deposits/{deposit}/receipt", "vendor"))
    assert [one["id"] for one in receipt["agreements"]] == [world.agreement]
    assert receipt["notServed"] == [other]
    with world.database.reading() as session:
        headers = vault.header_records_of(session, DepositId(deposit))
    assert {one.agreement_id for one in headers} == {world.agreement}
    told = {
        (one["agreement_id"], one["reader"])
        for one in world.do("GET", "/notices", "operator")["items"]
        if one["kind"] == "deposit-not-serving"
    }
    assert told == {(other, "vendor"), (other, "beneficiary")}
    world.verify(deposit)
    # He is a party of both, and reads under the one that it serves.
    shown = world.do("GET", f"/deposits/{deposit}", "beneficiary")
    assert shown["reason"] == "client-sealed" and "serves" not in shown


def test_who_is_a_party_of_the_other_agreement_alone_sees_that_it_is_not_for_him(world) -> None:
    other = second_agreement(world)
    deposit = world.deposit_sealed(world.seal(SECRET))
    world.ledger.tamper("DELETE FROM agreement_party WHERE agreement_id = ?", world.agreement)
    world.verify(deposit)
    shown = world.do("GET", f"/deposits/{deposit}", "beneficiary")
    assert (shown["serves"], shown["verdict"], shown["reports"]) == (False, None, [])
    assert world.agreement not in json.dumps(shown) and other


def test_a_session_opens_nothing_that_a_vendor_sealed_for_the_worker(world) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    # Nothing verified stands any more, so the newest would be opened, had the service sealed it.
    world.ledger.tamper("UPDATE report SET renews_badge = ?", False)
    shown = world.hold_session()
    assert shown["done"] == 1 and shown["reopened"] and deposit not in shown["reopened"]
    with world.database.reading() as session:
        assert custody.reopening_of(session, DepositId(deposit)) is None


@pytest.mark.parametrize("said", [{"sealing": "pgp"}, {"epoch": "0"}, {"epoch": "x"}])
def test_metadata_that_says_something_else_is_refused(world, said) -> None:
    answer = world.try_uploading(world.draft(), "data/x", "file", b"x", **(world.said() | said))
    assert answer.json()["code"] == "deposits.upload-malformed"
