"""Header records that somebody deletes or changes in the database, and what brings them back."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import DepositId
from escrow.ledger.appending import Scribe
from escrow.operations.keyholder.restoring import HeaderLetGo, HeaderStands, Restoring
from escrow.operations.storing.keeping import StoreKeeper
from escrow.testing.endings import Endings
from escrow.vault import records as vault
from escrow.vault.blobs import FileBlobStore
from escrow.vault.errors import HeaderRecordSwapped
from escrow.vault.storage import exports
from escrow.vault.storage import records as storage
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.records import REPLICA

ON_SQLITE_ALONE = True


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def deposit(world) -> str:
    return str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])


@pytest.fixture
def keeper(world, deposit, tmp_path) -> StoreKeeper:
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    folder = tmp_path / "second"
    replica = Place(REPLICA, FileBlobStore(folder, flat=True), FileShelf(folder))
    asked = Restoring(world.keyholder._on)
    keys = world.ledger.keys
    made = StoreKeeper(world.database, world.blobs, replica, world.clock, scribe, keys, asked)
    made.replicator.round()
    return made


def rows(world, deposit: str) -> dict[tuple[object, ...], str]:
    """Return every header record of a deposit by its place, as its digest."""
    with world.database.reading() as session:
        found = vault.header_records_of(session, DepositId(deposit))
        return {
            (one.agreement_id, one.part_id, one.lock, one.epoch): exports.digest_of(
                exports.record_of(one)
            )
            for one in found
        }


def run(world, statement: str) -> None:
    with world.database.writing() as session:
        session.execute(sa.text(statement))


def test_a_deleted_header_record_comes_back_and_a_release_needs_nothing_else(
    world, deposit, keeper
) -> None:
    before = rows(world, deposit)
    run(world, "DELETE FROM header_record")
    assert keeper.restorer.round() == len(before)
    assert rows(world, deposit) == before
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for agent in ("agent_1", "agent_2"):
        done = world.confirm(request, agent)
    assert done["state"] == "released"
    assert keeper.restorer.round() == 0


@pytest.mark.parametrize("change", ["record = x'00'", "commitment = '00'"])
def test_a_changed_header_record_is_mended_after_the_scrub_saw_it(
    world, deposit, keeper, change
) -> None:
    before = rows(world, deposit)
    run(world, f"UPDATE header_record SET {change}")
    world.clock.move(1)
    assert keeper.scrubber.run("whole").corrupted == len(before)
    assert keeper.restorer.round() == len(before)
    assert rows(world, deposit) == before
    with world.database.reading() as session:
        assert not storage.damaged_headers(session)


def offered(world, key: storage.PartKey, **changes: object) -> None:
    """Lay a changed record in the note, as whoever writes the database can."""
    with world.database.writing() as session:
        for note in storage.header_copies(session, key):
            said = json.loads(note.offered or "{}") | changes
            note.offered = json.dumps(said)
            session.add(note)


def key_and_record(world, deposit: str) -> tuple[storage.PartKey, dict[str, object]]:
    with world.database.reading() as session:
        row = vault.header_records_of(session, DepositId(deposit))[0]
        return (row.agreement_id, deposit, row.part_id), dict(exports.record_of(row))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"commitment": "0" * 64}, "keyholder.not-in-ledger"),
        ({"epoch": 7}, "keyholder.not-in-ledger"),
        ({"lock": "b"}, "keyholder.not-in-ledger"),
        ({"record": "AAAA"}, HeaderRecordSwapped.code),
        ({"payload_sha256": "0" * 64}, HeaderRecordSwapped.code),
        ({"record": "["}, "keyholder.record-malformed"),
        ({"created_at": "2026-01-01T00:00:00"}, "keyholder.record-malformed"),
    ],
)
def test_a_record_is_offered_that_nobody_wrapped_for_this_place(
    world, deposit, keeper, changes, refusal
) -> None:
    key, record = key_and_record(world, deposit)
    run(world, "DELETE FROM header_record")
    offered(world, key, **(record | changes))
    with pytest.raises(EscrowError) as refused:
        keeper.restorer._keyholder.restore_headers(*key)
    assert refused.value.code == refusal
    assert rows(world, deposit) == {}


def test_a_record_that_stands_is_not_written_over(world, deposit, keeper) -> None:
    """Another salt would spoil it: what opens and was logged is left as it is."""
    before = rows(world, deposit)
    key, record = key_and_record(world, deposit)
    offered(world, key, **(record | {"commitment_salt": "00"}))
    with pytest.raises(HeaderStands):
        keeper.restorer._keyholder.restore_headers(*key)
    assert rows(world, deposit) == before


def test_what_was_shredded_is_not_brought_back(world, deposit, keeper) -> None:
    key, record = key_and_record(world, deposit)
    offered(world, key, **record)
    world.verify(world.deposit())
    endings = Endings(world)
    endings.withdraw(deposit)
    endings.pass_quarantine()
    with pytest.raises(HeaderLetGo):
        keeper.restorer._keyholder.restore_headers(*key)
    assert keeper.restorer.round() == 0
    assert rows(world, deposit) == {}
