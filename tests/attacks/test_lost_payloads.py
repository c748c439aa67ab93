"""What is lost in every copy, and a copy that is missing: nobody who relies on it is left alone."""

from __future__ import annotations

import pytest

from escrow.deposits import records as deposits
from escrow.ground.identifiers import DepositId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_stream
from escrow.operations.storing.keeping import StoreKeeper
from escrow.operations.storing.telling import LOST
from escrow.vault.blobs import FileBlobStore
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.records import REPLICA


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def deposit(world) -> str:
    return str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])


@pytest.fixture
def keeper(world, tmp_path) -> StoreKeeper:
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    folder = tmp_path / "second"
    replica = Place(REPLICA, FileBlobStore(folder, flat=True), FileShelf(folder))
    keys = world.ledger.keys
    return StoreKeeper(world.database, world.blobs, replica, world.clock, scribe, keys)


def payload_of(world, deposit: str) -> str:
    with world.database.reading() as session:
        return str(deposits.parts_of(session, DepositId(deposit))[0].payload_sha256)


def storage(world, deposit: str, who: str) -> str:
    return str(world.do("GET", f"/deposits/{deposit}", who)["storage"])


def told(world) -> list[str]:
    notices = world.do("GET", "/notices", "operator")["items"]
    return sorted(one["reader"] for one in notices if one["kind"] == "deposit-damaged")


def logged(world, deposit: str) -> list[dict[str, object]]:
    with world.database.reading() as session:
        row = deposits.deposit_by_id(session, DepositId(deposit))
        stream = Stream("product", row.product_id)
        events = [one.event for one in read_stream(session, stream)]
    return [dict(one.data) for one in events if one.type == LOST]


def scrub(world, keeper: StoreKeeper) -> None:
    world.clock.move(1)
    keeper.scrubber.run("whole")
    keeper.teller.look()


@pytest.mark.parametrize("who", ["vendor", "beneficiary", "agent_1"])
def test_a_missing_second_copy_is_on_the_deposits_status(world, deposit, keeper, who) -> None:
    assert storage(world, deposit, who) == "one-copy"
    keeper.replicator.round()
    assert storage(world, deposit, who) == "two-copies"
    shown = world.do("GET", f"{world.product_path}/deposits/newest", who)
    assert shown["storage"] == "two-copies"


def test_a_payload_that_is_lost_in_every_copy_is_told_to_everybody(world, deposit, keeper) -> None:
    keeper.replicator.round()
    payload = payload_of(world, deposit)
    for place in keeper.scrubber._places.values():
        place.blobs.delete(payload)
    scrub(world, keeper)
    assert storage(world, deposit, "beneficiary") == "damaged"
    assert logged(world, deposit) == [{"deposit_id": deposit, "payloads": [payload]}]
    assert told(world) == ["agent"] * 3 + ["beneficiary"] * 2 + ["vendor"] * 2
    scrub(world, keeper)
    assert len(logged(world, deposit)) == 1
    assert len(told(world)) == 7


def test_a_payload_that_is_good_in_one_copy_alarms_nobody(world, deposit, keeper) -> None:
    keeper.replicator.round()
    world.blobs.delete(payload_of(world, deposit))
    scrub(world, keeper)
    assert storage(world, deposit, "vendor") == "two-copies"
    assert (logged(world, deposit), told(world)) == ([], [])
