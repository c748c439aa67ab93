"""A list of doomed payloads that a database writer made up: nothing is removed for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from escrow.deposits import records as deposits
from escrow.endings.letting_go import LetGo
from escrow.endings.removing import Remover
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ledger.appending import Scribe
from escrow.operations.storing.keeping import StoreKeeper
from escrow.testing.endings import Endings
from escrow.testing.verification import A_PYTHON_PROJECT, tar_of
from escrow.vault import records as vault
from escrow.vault.blobs import FileBlobStore
from escrow.vault.shreds import records as shreds
from escrow.vault.storage import exports
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.records import REPLICA


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def remover(world) -> Remover:
    let_go = LetGo(world.ledger.keys)
    return Remover(world.database, world.blobs, world.rooms.scribe, world.clock, let_go)


@pytest.fixture
def keeper(world, tmp_path) -> StoreKeeper:
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    folder = tmp_path / "second"
    replica = Place(REPLICA, FileBlobStore(folder, flat=True), FileShelf(folder))
    keys = world.ledger.keys
    made = StoreKeeper(world.database, world.blobs, replica, world.clock, scribe, keys)
    made.replicator.round()
    return made


def newest(world) -> str:
    return str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])


def rows(world, deposit: str) -> list[vault.HeaderRecordRow]:
    with world.database.reading() as session:
        return list(vault.header_records_of(session, DepositId(deposit)))


def doom(world, payload: str, product: str) -> None:
    """Write the row that the keyholder writes when it shreds."""
    with world.database.writing() as session:
        shreds.doom(session, [payload], "wdr_1", product, world.clock.now())


def delete_headers(world, deposit: str) -> None:
    with world.database.writing() as session:
        gone = "DELETE FROM header_record WHERE deposit_id = :id"
        session.execute(sa.text(gone), {"id": deposit})


def test_a_payload_that_waits_for_its_lasting_headers_is_doomed_by_a_row(world, remover) -> None:
    """Nobody's header leads to it yet, and no room's other row says that it is in use."""
    content = b"a part that is being sealed"
    staging, payload = world.blobs.stage(), sha256_hex(content)
    staging.append(content)
    staging.commit(payload)
    product = rows(world, newest(world))[0].product_id
    doom(world, payload, product)
    assert remover.remove_all() == 0
    assert world.blobs.exists(payload)


@pytest.mark.parametrize("where", ["its own product", "another"])
def test_headers_are_deleted_and_their_payload_doomed(world, remover, where) -> None:
    deposit = newest(world)
    row = rows(world, deposit)[0]
    delete_headers(world, deposit)
    doom(world, row.payload_sha256, row.product_id if where == "its own product" else "prd_none")
    assert remover.remove_all() == 0
    assert world.blobs.exists(row.payload_sha256)


def test_the_second_copies_of_what_a_row_dooms_stay(world, keeper) -> None:
    """The exported records are the way back: they and the payload outlive rows and primary."""
    deposit = newest(world)
    row = rows(world, deposit)[0]
    path = exports.path_of((row.agreement_id, row.deposit_id, row.part_id))
    replica = keeper.scrubber._places[REPLICA]
    assert replica.shelf.get(path)
    delete_headers(world, deposit)
    doom(world, row.payload_sha256, row.product_id)
    world.blobs.delete(row.payload_sha256)
    world.clock.moment += timedelta(seconds=1)
    keeper.replicator.round()
    keeper.scrubber.run("whole")
    assert replica.shelf.get(path)
    assert replica.blobs.exists(row.payload_sha256)
    assert world.blobs.exists(row.payload_sha256)


def test_a_row_dooms_what_another_deposit_still_carries(world, remover) -> None:
    """A shredding of the one is no shredding of the other, whoever deletes the headers."""
    draft = world.draft()
    world.upload(draft, "docs/manual", "file", b"How it is built.")
    world.upload(draft, "source/core", "tar", tar_of(A_PYTHON_PROJECT))
    world.do("POST", f"/deposits/{draft}/finish", "vendor")
    world.verify(draft)
    later = world.deposit()
    world.verify(later)
    with world.database.reading() as session:
        parts = deposits.parts_of(session, DepositId(later))
    [manual] = [one.payload_sha256 for one in parts if one.carried_from is not None]
    product = ProductId(rows(world, draft)[0].product_id)
    endings = Endings(world)
    endings.withdraw(draft)
    endings.pass_quarantine()
    delete_headers(world, draft)
    doom(world, manual, product)
    remover.remove_all()
    assert world.blobs.exists(manual)


def test_what_was_shredded_goes_from_both(world, remover, keeper) -> None:
    """The other way round: the ledger bears it out, and nothing holds it up."""
    deposit = newest(world)
    row = rows(world, deposit)[0]
    world.verify(world.deposit())
    keeper.replicator.round()
    replica = keeper.scrubber._places[REPLICA]
    path = exports.path_of((row.agreement_id, row.deposit_id, row.part_id))
    endings = Endings(world)
    endings.withdraw(deposit)
    endings.pass_quarantine()
    assert remover.remove_all() > 0
    keeper.replicator.round()
    keeper.scrubber.run("whole")
    assert not world.blobs.exists(row.payload_sha256)
    assert not replica.blobs.exists(row.payload_sha256)
    assert replica.shelf.get(path) is None
