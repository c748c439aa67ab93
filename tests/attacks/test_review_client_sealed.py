"""What a vendor's own sealing meets elsewhere: lost headers, and files that were let go before."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from escrow.deposits import records as deposits
from escrow.ground.identifiers import DepositId
from escrow.ledger.appending import Scribe
from escrow.operations.keyholder.restoring import Restoring
from escrow.operations.storing.keeping import StoreKeeper
from escrow.testing.client_sealed import ClientSealedWorld
from escrow.testing.endings import Endings
from escrow.vault import records as vault
from escrow.vault.age_format import split_header
from escrow.vault.blobs import FileBlobStore
from escrow.vault.headers import CLIENT_LOCK
from escrow.vault.storage import records as storage
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.records import REPLICA

SECRET = b"what only vendor and agents may read\n" * 4000


@pytest.fixture
def world(client_sealed_world: ClientSealedWorld) -> ClientSealedWorld:
    return client_sealed_world


@pytest.fixture
def keeper(world, tmp_path) -> StoreKeeper:
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    folder = tmp_path / "second"
    replica = Place(REPLICA, FileBlobStore(folder, flat=True), FileShelf(folder))
    asked = Restoring(world.keyholder._on)
    return StoreKeeper(
        world.database, world.blobs, replica, world.clock, scribe, world.ledger.keys, asked
    )


def test_a_deleted_header_of_a_client_sealed_part_comes_back_and_opens(
    world, keeper, tmp_path
) -> None:
    deposit = world.deposit_sealed(world.seal(SECRET))
    keeper.replicator.round()
    with world.database.writing() as session:
        session.execute(sa.text("DELETE FROM header_record WHERE lock = 'client'"))
    assert keeper.restorer.round() == 1
    with world.database.reading() as session:
        [row] = vault.header_records_of(session, DepositId(deposit))
        assert row.lock == CLIENT_LOCK
    assert world.opened_by_beneficiary(world.release(), deposit, tmp_path) == SECRET


def test_a_file_that_was_let_go_is_not_taken_again(world, keeper) -> None:
    """It would be promised for years, and never be copied, scrubbed or kept: it is let go."""
    sealed, endings = world.seal(SECRET), Endings(world)
    first = world.deposit_sealed(sealed)
    keeper.replicator.round()
    endings.withdraw(first)
    endings.pass_quarantine()
    answer = world.try_uploading(world.draft(), "source/core", "tar", sealed, **world.said())
    assert (answer.status_code, answer.json()["code"]) == (409, "deposits.payload-let-go")
    # Sealed anew it has another payload, and is copied like any other.
    again = world.deposit_sealed(world.seal(SECRET))
    keeper.replicator.round()
    with world.database.reading() as session:
        [payload] = {
            one.payload_sha256
            for one in deposits.parts_of(session, DepositId(again))
            if one.carried_from is None
        }
        assert storage.copied(session, [payload]) == {payload}


def test_a_file_that_is_let_go_while_it_lies_in_a_draft_is_not_sealed(world) -> None:
    sealed, endings = world.seal(SECRET), Endings(world)
    first, draft = world.deposit_sealed(sealed), world.draft()
    endings.withdraw(first)
    world.upload(draft, "source/core", "tar", sealed, **world.said())
    opened = world.clock.moment
    world.clock.moment += timedelta(days=15)
    world.rooms.endings.push_all_on()
    world.clock.moment = opened
    answer = world.ask("POST", f"/deposits/{draft}/finish", "vendor")
    assert (answer.status_code, answer.json()["code"]) == (409, "deposits.payload-let-go")


def test_one_payload_under_two_headers_hides_no_part(world) -> None:
    """A release finds parts by their payloads: of two with one, the first would be left out."""
    sealed = world.seal(SECRET)
    other, _ = split_header(world.seal(b"another file key"))
    _, payload = split_header(sealed)
    draft = world.draft()
    world.upload(draft, "source/core", "tar", sealed, **world.said())
    answer = world.try_uploading(draft, "source/two", "tar", other + payload, **world.said())
    assert (answer.status_code, answer.json()["code"]) == (409, "deposits.part-exists")
    assert "source/core" in answer.text
