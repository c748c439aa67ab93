"""Somebody writes the database: a release must not come early, go elsewhere, or be lost quietly."""

from __future__ import annotations

import pytest

from escrow.ground.errors import EscrowError, Tampered
from escrow.ground.identifiers import RequestId
from escrow.ledger.appending import Scribe
from escrow.ledger.errors import HeadBehind
from escrow.ledger.events import NewEvent, Stream
from escrow.testing.databases import trial_databases
from escrow.testing.ledgers import named_key
from escrow.vault import age


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def approved(world) -> str:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    return request


def execute(world, request) -> None:
    world.keyholder.execute_release(RequestId(request))


def newest_entry(world) -> int:
    stream = Stream("agreement", world.agreement)
    with world.database.reading() as session:
        from escrow.ledger.reading import read_newest

        return read_newest(session, stream, 1)[0].number


def test_an_objection_is_cut_off_the_end_of_the_ledger(world, approved) -> None:
    world.confirm(approved, "agent_1")
    world.instruct_otherwise(approved)
    world.ledger.tamper("DELETE FROM ledger_entry WHERE number = ?", newest_entry(world))
    with pytest.raises(HeadBehind):
        execute(world, approved)


def test_an_objection_is_cut_off_with_its_leaf(world, approved) -> None:
    world.instruct_otherwise(approved)
    number = newest_entry(world)
    world.ledger.tamper("DELETE FROM ledger_leaf WHERE entry_number = ?", number)
    world.ledger.tamper("DELETE FROM ledger_entry WHERE number = ?", number)
    with pytest.raises(Tampered):
        execute(world, approved)


def test_the_ledger_is_rolled_back_behind_an_objection(world, approved) -> None:
    world.database.close()
    trial_databases().keep(world.ledger.folder)
    world.instruct_otherwise(approved)
    world.database.close()
    trial_databases().put_back(world.ledger.folder)
    with pytest.raises(Tampered):
        execute(world, approved)


def test_a_confirmation_is_invented_without_the_roles_key(world, approved) -> None:
    world.confirm(approved, "agent_1")
    body = world.confirmation_body(approved, "agent_2", signer="agent_2")
    forger = Scribe("portal", named_key("somebody's"), world.clock)
    data = {"request_id": approved, "act": body["envelope"], "act_sha256": "0" * 64}
    stream = Stream("agreement", world.agreement)
    event = NewEvent(stream, "releases:confirmation:given", "key:forged", data)
    with world.database.writing() as session:
        forger.append(session, event)
    with pytest.raises(Tampered):
        execute(world, approved)


def test_a_confirmation_is_invented_by_the_portal_without_the_agents_key(world, approved) -> None:
    world.confirm(approved, "agent_1")
    body = world.confirmation_body(approved, "agent_2", signer="beneficiary")
    data = {"request_id": approved, "act": body["envelope"], "act_sha256": "0" * 64}
    stream = Stream("agreement", world.agreement)
    event = NewEvent(stream, "releases:confirmation:given", "key:forged", data)
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)
    with pytest.raises(Tampered) as alarm:
        execute(world, approved)
    assert alarm.value.code == "releases.history-broken"


def test_a_consent_is_invented_by_the_portal(world) -> None:
    request = world.request()
    shown = world.do("GET", f"/requests/{request}", "vendor")
    subject = {"agreement_id": world.agreement, "request_id": request}
    subject["request_act_sha256"] = shown["request_act_sha256"]
    act = world.signed("beneficiary", "consent-to-release", subject)
    data = {"request_id": request, "act": act, "act_sha256": "0" * 64}
    stream = Stream("agreement", world.agreement)
    event = NewEvent(stream, "releases:request:consented", "key:forged", data)
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)
    with pytest.raises(Tampered):
        world.keyholder.open_confirmation(RequestId(request))


def test_the_state_is_written_into_the_row(world) -> None:
    request = world.request()
    world.ledger.tamper("UPDATE release_request SET state = 'confirming'")
    with pytest.raises(EscrowError) as refusal:
        execute(world, request)
    assert refusal.value.code == "releases.not-approved"
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "filed"


def test_the_offer_is_exchanged(world, approved) -> None:
    for agent in ("agent_1",):
        world.confirm(approved, agent)
    body = world.confirmation_body(approved, "agent_2")
    world.ledger.tamper("UPDATE release_round SET offer = ?", b'{"format":"none"}')
    answer = world.ask("POST", f"/requests/{approved}/confirmations", "agent_2", json=body)
    assert answer.json()["code"] == "releases.offer-broken"
    assert world.ask("GET", f"/requests/{approved}/release", "beneficiary").is_error


def test_the_one_time_key_is_exchanged(world, approved) -> None:
    own = age.new_hybrid_identity()
    world.ledger.tamper("UPDATE release_round SET recipient = ?", str(own.recipient))
    answer = world.try_confirming(approved, "agent_1")
    assert answer.json()["code"] == "keyholder.not-in-ledger"


def test_a_header_record_is_exchanged(world, approved) -> None:
    other = world.deposit()
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    world.ledger.tamper(
        "UPDATE header_record SET record = (SELECT record FROM header_record WHERE deposit_id = ?)",
        other,
    )
    answer = world.try_confirming(request, "agent_2")
    assert answer.json()["code"] == "vault.header-record-swapped"
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "executing"


def test_a_commitment_is_exchanged(world, approved) -> None:
    world.confirm(approved, "agent_1")
    world.ledger.tamper("UPDATE header_record SET commitment = ?", "0" * 64)
    assert world.try_confirming(approved, "agent_2").status_code == 500


def test_the_receipt_is_exchanged(world) -> None:
    request = world.request()
    world.ledger.tamper("UPDATE deposit SET receipt_statement = ?", b"{}")
    answer = world.try_act(request, "vendor", "consent-to-release")
    assert answer.json()["code"] == "releases.offer-broken"
    # The consent itself is taken; the round opens once the row is put right.
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "approved"


def test_the_sealing_keys_row_is_exchanged(world, approved) -> None:
    world.confirm(approved, "agent_1")
    own = age.new_hybrid_identity()
    world.ledger.tamper("UPDATE sealing_epoch SET recipient = ?", str(own.recipient))
    answer = world.try_confirming(approved, "agent_2")
    assert answer.json()["code"] == "keyholder.not-in-ledger"
