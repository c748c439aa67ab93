"""A hostile portal, a writer of the database and a careless vendor against client-sealed parts."""

from __future__ import annotations

from typing import Any

import pytest

from escrow.custody import records as custody
from escrow.custody.errors import SealingKeyNotProven
from escrow.custody.sealing_keys import CANARY_OPENED, verify_sealing_key
from escrow.deposits import records as deposits
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError, Tampered
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.appending import Scribe
from escrow.ledger.chains import read_chain
from escrow.ledger.errors import ChainBroken, ProofFails
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_newest
from escrow.operations.keyholder.grounds import NotInLedger
from escrow.operations.keyholder.not_opening import NOT_OPENING
from escrow.operations.keyholder.restoring import Restoring
from escrow.operations.storing.keeping import StoreKeeper
from escrow.testing.client_sealed import ClientSealedWorld
from escrow.vault import age
from escrow.vault import records as vault
from escrow.vault.age_format import split_header
from escrow.vault.blobs import FileBlobStore
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.records import REPLICA
from tests.attacks.forging import (
    FORGERS,
    call_in_force,
    count_keys,
    log_as_portal,
    of_forgers,
)

SECRET = b"what only vendor and agents may read\n" * 4000


@pytest.fixture
def world(client_sealed_world: ClientSealedWorld) -> ClientSealedWorld:
    return client_sealed_world


@pytest.fixture
def numbered(world) -> str:
    """A client-sealed deposit that is sealed and logged, and whose headers are not written yet."""
    draft = world.draft()
    world.upload(draft, "source/core", "tar", world.seal(SECRET), **world.said())
    world.rooms.intake.seal(DepositId(draft), "tok_1")
    return draft


def complete(world, deposit: str) -> None:
    world.rooms.intake.complete(DepositId(deposit))


def the_part(world, deposit: str) -> deposits.Part:
    with world.database.reading() as session:
        [part] = deposits.parts_of(session, DepositId(deposit))
    return part


# --- a hostile portal's key ---------------------------------------------------------------------


def test_the_portal_hands_out_its_own_key(world) -> None:
    sent = world.do("GET", f"/agreements/{world.agreement}/sealing-key", "vendor")
    sent["recipient"] = str(age.new_hybrid_identity().recipient)
    with pytest.raises(SealingKeyNotProven, match="did not deal"):
        verify_sealing_key(sent, AgreementId(world.agreement), world.ledger.keys)


def test_the_portal_hands_out_a_key_that_is_used_up(world) -> None:
    old = world.do("GET", f"/agreements/{world.agreement}/sealing-key", "vendor")
    world.hold_session()
    world.keyholder.sequence()
    with world.database.reading() as session:
        chain = read_chain(session, Stream("agreement", world.agreement))
    assert chain is not None
    sent = old | {"chain": chain.to_json()}
    with pytest.raises(SealingKeyNotProven, match="used up"):
        verify_sealing_key(sent, AgreementId(world.agreement), world.ledger.keys)


def test_the_portal_cuts_the_dealing_out_or_shows_another_agreements(world) -> None:
    sent = world.do("GET", f"/agreements/{world.agreement}/sealing-key", "vendor")
    with pytest.raises(EscrowError):
        verify_sealing_key(sent, AgreementId("agr_other"), world.ledger.keys)
    without = sent | {"chain": sent["chain"] | {"entries": sent["chain"]["entries"][1:]}}
    with pytest.raises(ChainBroken, match="does not begin"):
        verify_sealing_key(without, AgreementId(world.agreement), world.ledger.keys)
    forged = [one.replace('"epoch":1', '"epoch":2') for one in sent["chain"]["entries"]]
    with pytest.raises((Tampered, ProofFails)):
        verify_sealing_key(
            sent | {"chain": sent["chain"] | {"entries": forged}},
            AgreementId(world.agreement),
            world.ledger.keys,
        )


def forged_key(world) -> dict[str, Any]:
    """Have the keyholder deal a key to the agents of a text that nobody accepted; return it."""
    call_in_force(world, of_forgers(world), *FORGERS)
    world.keyholder.hold_ceremony(world.agreement)
    count_keys(world, 2)
    log_as_portal(
        world, CANARY_OPENED, {"epoch": 2, "contributors": [1, 2], "act_sha256": "0" * 64}
    )
    return world.do("GET", f"/agreements/{world.agreement}/sealing-key", "vendor")


def test_the_portal_hands_out_a_key_of_people_whom_nobody_accepted(world) -> None:
    sent = forged_key(world)
    assert sent["epoch"] == 2
    with pytest.raises(SealingKeyNotProven, match="agents in force"):
        verify_sealing_key(sent, AgreementId(world.agreement), world.ledger.keys)


def test_a_deposit_sealed_to_people_whom_nobody_accepted_is_not_acknowledged(world) -> None:
    sent = forged_key(world)
    sealed = world.seal(SECRET, sent["recipient"])
    draft = world.draft()
    world.upload(draft, "source/core", "tar", sealed, **world.said())
    world.rooms.intake.seal(DepositId(draft), "tok_1")
    with pytest.raises(NotInLedger):
        complete(world, draft)


# --- rows exchanged -----------------------------------------------------------------------------


def test_the_header_is_exchanged_before_it_lies_under_lock_b(world, numbered) -> None:
    mine, _ = split_header(world.seal(b"mine", str(age.new_hybrid_identity().recipient)))
    world.ledger.tamper("UPDATE part SET client_header = ? WHERE deposit_id = ?", mine, numbered)
    with pytest.raises(NotInLedger, match="not the one that its vendor sent"):
        complete(world, numbered)
    digest = sha256_hex(mine)
    world.ledger.tamper(
        "UPDATE part SET client_header_sha256 = ? WHERE deposit_id = ?", digest, numbered
    )
    with pytest.raises(NotInLedger, match="not those that the ledger names"):
        complete(world, numbered)


@pytest.mark.parametrize("nothing", [None, b""])
def test_the_header_is_taken_away_before_it_lies_under_lock_b(world, numbered, nothing) -> None:
    """The receipt would name a header that nobody keeps."""
    world.ledger.tamper("UPDATE part SET client_header = ? WHERE deposit_id = ?", nothing, numbered)
    with pytest.raises(NotInLedger, match="is gone"):
        complete(world, numbered)


@pytest.mark.parametrize(
    ("column", "value"),
    [("payload_sha256", "0" * 64), ("client_epoch", 2), ("client_agreement_id", "agr_other")],
)
def test_payload_epoch_or_agreement_is_exchanged(world, numbered, column, value) -> None:
    world.ledger.tamper(f"UPDATE part SET {column} = ? WHERE deposit_id = ?", value, numbered)
    with pytest.raises(NotInLedger):
        complete(world, numbered)


def test_a_client_sealed_part_is_passed_off_as_one_for_the_lane(world, numbered) -> None:
    world.ledger.tamper(
        "UPDATE part SET client_agreement_id = NULL, client_epoch = NULL WHERE deposit_id = ?",
        numbered,
    )
    with pytest.raises(NotInLedger):
        complete(world, numbered)


def test_a_record_is_passed_off_as_one_that_the_worker_may_open(world) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    world.ledger.tamper("UPDATE header_record SET lock = 'a+b' WHERE deposit_id = ?", deposit)
    # Bound to its lock, it opens as nothing else.
    with pytest.raises(ValueError, match="header-record-swapped"):
        world.hold_session()
    with world.database.reading() as session:
        assert custody.reopenings_of(session, DepositId(deposit)) == []


def test_the_commitment_of_a_stored_header_is_exchanged(world) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    world.ledger.tamper(
        "UPDATE header_record SET commitment = ? WHERE deposit_id = ?", "0" * 64, deposit
    )
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    with pytest.raises(ValueError, match="nobody logged the commitment"):
        world.confirm(request, "agent_3")
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] != "released"


def test_a_lost_header_comes_back_from_the_replica_as_what_it_was(world, tmp_path) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    folder = tmp_path / "second"
    replica = Place(REPLICA, FileBlobStore(folder, flat=True), FileShelf(folder))
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    restoring = Restoring(world.keyholder.grounds)
    keys = world.ledger.keys
    keeper = StoreKeeper(world.database, world.blobs, replica, world.clock, scribe, keys, restoring)
    keeper.replicator.round()
    world.ledger.tamper("DELETE FROM header_record WHERE deposit_id = ?", deposit)
    assert keeper.restorer.round() == 1
    index = world.release()
    assert world.opened_by_beneficiary(index, deposit, tmp_path) == SECRET


def test_the_worker_asks_for_the_key_of_what_a_vendor_sealed(world) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    sealed = world.keyholder.open_for_verification(DepositId(deposit))
    assert age.decrypt_bytes(sealed, [world.worker]) == b"{}"


# --- a vendor's mistake, or malice --------------------------------------------------------------


def test_a_header_to_another_key_is_named_and_stops_nothing_else(world, tmp_path) -> None:
    good = world.deposit_sealed(world.seal(SECRET))
    bad = world.deposit_sealed(world.seal(SECRET, str(age.new_hybrid_identity().recipient)))
    shown = world.hold_session()
    assert shown["done"] == 1
    part = the_part(world, bad)
    named = [{"deposit_id": bad, "part_id": part.id}]
    assert world.custody()["not_opening"] == named
    [event] = [one for one in newest(world) if one.type == NOT_OPENING]
    assert event.data == {"because": "other-key", "headers": [named[0] | {"epoch": 1}]}
    kinds = [one["kind"] for one in world.do("GET", "/notices", "operator")["items"]]
    assert "deposit-not-opening" in kinds
    index = world.release()
    assert world.opened_by_beneficiary(index, good, tmp_path) == SECRET
    assert index["not_opened"] == [part.id]


def test_a_release_meets_a_header_to_another_key_first(world, tmp_path) -> None:
    good = world.deposit_sealed(world.seal(SECRET))
    bad = world.deposit_sealed(world.seal(SECRET, str(age.new_hybrid_identity().recipient)))
    index = world.release()
    assert world.opened_by_beneficiary(index, good, tmp_path) == SECRET
    assert index["not_opened"] == [the_part(world, bad).id]
    assert index["certificate"]


def test_a_forged_mac_is_a_header_that_does_not_open(world) -> None:
    sealed = bytearray(world.seal(SECRET))
    header, _ = split_header(bytes(sealed))
    at = len(header) - 10
    sealed[at] = ord("A") if sealed[at] != ord("A") else ord("B")
    bad = world.deposit_sealed(bytes(sealed))
    assert world.hold_session()["done"] == 1
    assert [one["deposit_id"] for one in world.custody()["not_opening"]] == [bad]


def test_the_key_is_combined_between_number_and_header(world, numbered) -> None:
    world.hold_session()
    complete(world, numbered)
    # Acknowledged as received, and said at once to be under a key that nobody combines again.
    assert [one["deposit_id"] for one in world.custody()["not_opening"]] == [numbered]
    [event] = [one for one in newest(world) if one.type == NOT_OPENING]
    assert event.data["because"] == "key-changed"


def refused_uploads(world) -> dict[str, bytes]:
    key = world.sealing_key().recipient
    sealed = world.seal(SECRET)
    classical = str(age.new_x25519_identity().recipient)
    header, payload = split_header(sealed)
    return {
        "several recipients": world.seal(SECRET, key, str(age.new_hybrid_identity().recipient)),
        "kind 'X25519'": world.seal(SECRET, classical),
        "ASCII armour": world.run_age("-a", "-r", key, content=SECRET),
        "no age file": SECRET,
        "cut off": header + payload[: 16 + 65_552 + 5],
        "malformed": header[:-30] + b"A" * 100_000,
        "no end": header[:1500] + b"\n-> x" * 20_000,
    }


@pytest.mark.parametrize(
    "why",
    [
        "several recipients",
        "kind 'X25519'",
        "ASCII armour",
        "no age file",
        "cut off",
        "malformed",
        "no end",
    ],
)
def test_anything_but_one_age_file_to_one_key_leaves_nothing(world, why) -> None:
    draft = world.draft()
    answer = world.try_uploading(
        draft, "source/core", "tar", refused_uploads(world)[why], **world.said()
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "vault.not-client-sealed")
    assert why in answer.text and "sealing-key" in answer.json()["remedy"]
    assert list((world.scratch / "uploads").iterdir()) == []
    assert list(world.blobs._staging.iterdir()) == []
    world.upload(draft, "source/core", "tar", world.seal(SECRET), **world.said())


def test_the_header_rests_nowhere_outside_lock_b(world) -> None:
    sealed = world.seal(SECRET)
    header, _ = split_header(sealed)
    deposit = world.deposit_sealed(sealed)
    assert the_part(world, deposit).client_header is None
    with world.database.reading() as session:
        records = vault.header_records_of(session, DepositId(deposit))
        uploads = deposits.uploads_of(session, DepositId(deposit), "finished")
    assert len(records) == 1 and len(uploads) == 1
    assert all(header not in one.record for one in records)
    kept = [one for one in world.scratch.rglob("*") if one.is_file()]
    assert all(header not in one.read_bytes() for one in kept)


def newest(world) -> list:
    with world.database.reading() as session:
        stream = Stream("agreement", world.agreement)
        return [one.event for one in read_newest(session, stream, 500)]
