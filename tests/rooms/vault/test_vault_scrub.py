"""The second copy of everything, and the scrub that reads both."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import ProductId
from escrow.ledger.reading import read_newest
from escrow.parties.events import INSTALLATION
from escrow.vault.errors import BlobCorrupted, BlobStoreUnavailable
from escrow.vault.shreds import records as shreds
from escrow.vault.storage import exports, records
from escrow.vault.storage.records import PRIMARY, REPLICA
from escrow.vault.storage.replicating import Replicated
from escrow.vault.storage.scrubbing import ScrubCounts
from tests.storage import StoredWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[StoredWorld]:
    made = StoredWorld(tmp_path)
    yield made
    made.close()


def _copied(world: StoredWorld, count: int = 3) -> list[str]:
    stored = [world.put() for _ in range(count)]
    world.replicator.round()
    return stored


def test_everything_gets_a_second_copy_once(world: StoredWorld) -> None:
    stored = [world.put() for _ in range(5)]
    assert world.replicator.round() == Replicated(5, 0)
    assert sorted(world.replica.blobs.names()) == sorted(stored)
    assert world.replicator.round() == Replicated(0, 0)
    with world.database.reading() as session:
        assert records.lacking_count(session) == (0, None)


def test_what_lacks_a_copy_is_told_with_its_age(world: StoredWorld) -> None:
    world.put()
    world.replicator.note_new()
    since = world.clock.now()
    world.clock.move(3600)
    world.put()
    world.replicator.note_new()
    with world.database.reading() as session:
        assert records.lacking_count(session) == (2, since)


def test_a_replica_that_is_away_loses_nothing(world: StoredWorld, monkeypatch) -> None:
    digest = world.put()

    def away() -> None:
        raise BlobStoreUnavailable("Away.", "Wait.")

    monkeypatch.setattr(world.replica.blobs, "stage", away)
    with pytest.raises(BlobStoreUnavailable):
        world.replicator.round()
    monkeypatch.undo()
    world.start()
    assert world.replicator.round().payloads == 1
    world.replica.blobs.check(digest)


def test_a_damaged_payload_is_never_copied(world: StoredWorld) -> None:
    digest = world.put()
    world.flip(world.file(PRIMARY, digest))
    assert world.replicator.round().payloads == 0
    assert not world.replica.blobs.exists(digest)
    assert list((world.folder / "replica" / "staging").iterdir()) == []
    assert world.scrub() == ScrubCounts(payloads=1, bytes=200, corrupted=1, unrepairable=1)


@pytest.mark.parametrize("place", (PRIMARY, REPLICA))
def test_a_corrupted_copy_is_set_aside_and_mended(world: StoredWorld, place: str) -> None:
    stored = _copied(world)
    world.flip(world.file(place, stored[1]))
    damaged = world.file(place, stored[1]).read_bytes()
    counts = world.scrub()
    assert counts == ScrubCounts(payloads=6, bytes=1200, corrupted=1, repaired=1)
    for one in (world.primary, world.replica):
        one.blobs.check(stored[1])
    (aside,) = (world.folder / place / "set-aside").iterdir()
    assert aside.read_bytes() == damaged
    assert world.scrub() == ScrubCounts(payloads=6, bytes=1200)


@pytest.mark.parametrize("place", (PRIMARY, REPLICA))
def test_a_missing_copy_is_another_thing_and_is_mended(world: StoredWorld, place: str) -> None:
    stored = _copied(world)
    world.file(place, stored[1]).unlink()
    assert world.scrub() == ScrubCounts(payloads=6, bytes=1200, missing=1, repaired=1)
    for one in (world.primary, world.replica):
        one.blobs.check(stored[1])


def test_two_damaged_copies_are_told_and_touched_no_more(world: StoredWorld, caplog) -> None:
    (digest,) = _copied(world, 1)
    for place in (PRIMARY, REPLICA):
        world.flip(world.file(place, digest))
    before = [world.file(place, digest).read_bytes() for place in (PRIMARY, REPLICA)]
    counts = world.scrub()
    assert (counts.corrupted, counts.repaired, counts.unrepairable) == (2, 0, 2)
    assert [world.file(place, digest).read_bytes() for place in (PRIMARY, REPLICA)] == before
    assert "cannot be mended" in caplog.text
    with world.database.reading() as session:
        assert len(records.damaged(session)) == 2


def test_a_good_copy_is_never_written(world: StoredWorld) -> None:
    stored = _copied(world)
    places = (PRIMARY, REPLICA)
    world.flip(world.file(REPLICA, stored[0]))
    before = {
        (place, one): world.file(place, one).stat().st_ino for place in places for one in stored
    }
    world.scrub()
    changed = {key for key, inode in before.items() if world.file(*key).stat().st_ino != inode}
    assert changed == {(REPLICA, stored[0])}


def test_damage_counts_only_when_it_is_read_twice(world: StoredWorld, monkeypatch) -> None:
    _copied(world, 1)
    check, failures = world.primary.blobs.check, [BlobCorrupted("A bad cable.", "Wait.")]

    def once_bad(sha256: str) -> None:
        if failures:
            raise failures.pop()
        check(sha256)

    monkeypatch.setattr(world.primary.blobs, "check", once_bad)
    assert world.scrub() == ScrubCounts(payloads=2, bytes=400)
    assert not (world.folder / "primary" / "set-aside").exists()


def test_what_was_destroyed_is_not_brought_back(world: StoredWorld) -> None:
    (digest,) = _copied(world, 1)
    del world.inventory.wanted[digest]
    world.file(PRIMARY, digest).unlink()
    assert world.scrub() == ScrubCounts()
    assert not world.primary.blobs.exists(digest)


def test_the_second_copy_follows_what_the_keyholder_shredded(world: StoredWorld) -> None:
    (digest,) = _copied(world, 1)
    shredded, kept = world.write_header("prt_1"), world.write_header("prt_2")
    world.replicator.round()
    shelf = world.folder / "replica"
    payload = sha256_hex(b"prt_1")
    with world.database.writing() as session:
        shreds.delete_headers_of_payloads(session, ProductId("prd_1"), [payload])
    world.inventory.let_go |= {payload, digest}
    world.replicator.round()
    assert not (shelf / exports.path_of(shredded)).exists()
    assert (shelf / exports.path_of(kept)).exists()
    world.file(PRIMARY, digest).unlink()
    del world.inventory.wanted[digest]
    assert world.scrub().unrepairable == 0
    assert not world.primary.blobs.exists(digest)
    assert not world.replica.blobs.exists(digest)


def test_a_row_that_vanished_is_no_order_to_destroy_its_copy(world: StoredWorld) -> None:
    key = world.write_header("prt_1")
    world.replicator.round()
    world.ledger.tamper("DELETE FROM header_record")
    world.replicator.round()
    assert (world.folder / "replica" / exports.path_of(key)).exists()
    counts = world.scrub()
    assert (counts.missing, counts.unrepairable) == (1, 1)
    assert (world.folder / "replica" / exports.path_of(key)).exists()


def test_a_run_that_was_killed_goes_on_where_it_was(world: StoredWorld, monkeypatch) -> None:
    _copied(world, 250)
    read: list[str] = []
    check = world.primary.blobs.check

    def killed(sha256: str) -> None:
        read.append(sha256)
        if len(read) == 180:
            raise KeyboardInterrupt
        check(sha256)

    monkeypatch.setattr(world.primary.blobs, "check", killed)
    with pytest.raises(KeyboardInterrupt):
        world.scrub()
    world.start()
    counts = world.scrub()
    assert (counts.payloads, counts.bytes) == (500, 500 * 200)
    # What was not written down yet when it was killed, one batch at most, is read again.
    assert len(read) <= 250 + 100


def test_a_run_ends_with_its_counts_in_the_ledger(world: StoredWorld) -> None:
    stored = _copied(world)
    world.flip(world.file(PRIMARY, stored[0]))
    world.scrub()
    with world.database.reading() as session:
        (recorded,) = read_newest(session, INSTALLATION)
    assert (recorded.event.type, recorded.event.role) == ("vault:scrub:ended", "worker")
    data = recorded.event.data
    assert (data["corrupted"], data["repaired"], data["unrepairable"]) == (1, 1, 0)
    assert (data["payloads"], data["bytes"]) == (6, 1200)


def test_daily_slices_read_everything_within_thirty_days(world: StoredWorld) -> None:
    _copied(world, 90)
    for _ in range(30):
        world.clock.move(24 * 3600)
        assert world.scrubber.is_slice_due()
        world.scrubber.run("slice")
        assert not world.scrubber.is_slice_due()
        with world.database.reading() as session:
            oldest = world.clock.now() - timedelta(days=30)
            assert records.unread_since(session, oldest, 1) == []
    with world.database.reading() as session:
        everything = records.unread_since(session, world.clock.now(), 100)
        assert len({row.read_at for row in everything}) > 20


# --- header records ---------------------------------------------------------------------------


def test_header_records_are_exported_as_the_page_says(world: StoredWorld) -> None:
    key = world.write_header("prt_1")
    world.write_header("prt_1", lock="b")
    assert world.replicator.round() == Replicated(0, 1)
    path = world.folder / "replica" / "header-records" / "agr_1" / "dep_1" / "prt_1.json"
    document = json.loads(path.read_bytes())
    assert document["format"] == "escrow-header-records/1"
    assert [record["lock"] for record in document["records"]] == ["a+b", "b"]
    world.write_header("prt_1", epoch=2)
    assert world.replicator.round().header_files == 1
    assert len(json.loads(path.read_bytes())["records"]) == 3
    assert exports.path_of(key) == str(path.relative_to(world.folder / "replica"))
    assert world.replicator.round() == Replicated(0, 0)


@pytest.mark.parametrize("damage", ("flip", "remove"))
def test_a_damaged_file_of_header_records_is_written_anew(world: StoredWorld, damage) -> None:
    world.write_header("prt_1")
    world.replicator.round()
    path = world.folder / "replica" / "header-records" / "agr_1" / "dep_1" / "prt_1.json"
    good = path.read_bytes()
    world.flip(path) if damage == "flip" else path.unlink()
    counts = world.scrub()
    assert (counts.missing, counts.corrupted) == ((0, 1) if damage == "flip" else (1, 0))
    assert (counts.repaired, counts.unrepairable) == (1, 0)
    assert path.read_bytes() == good


def test_a_damaged_row_is_told_and_the_file_keeps_the_record(world: StoredWorld, caplog) -> None:
    world.write_header("prt_1")
    world.replicator.round()
    path = world.folder / "replica" / "header-records" / "agr_1" / "dep_1" / "prt_1.json"
    good = path.read_bytes()
    world.ledger.tamper("UPDATE header_record SET commitment = 'x'")
    counts = world.scrub()
    assert (counts.corrupted, counts.unrepairable) == (1, 1)
    assert path.read_bytes() == good
    assert "of the replica has it" in caplog.text
    world.write_header("prt_1", epoch=2)
    world.replicator.round()
    kept = exports.unverified_records(path.read_bytes())
    assert kept["a+b", 1] == exports.unverified_records(good)["a+b", 1]
    assert ("a+b", 2) in kept


def test_a_note_that_differs_from_row_and_file_is_the_damaged_one(world: StoredWorld) -> None:
    world.write_header("prt_1")
    world.replicator.round()
    world.ledger.tamper("UPDATE header_copy SET sha256 = 'x'")
    counts = world.scrub()
    assert (counts.corrupted, counts.repaired, counts.unrepairable) == (1, 1, 0)
    assert world.scrub() == ScrubCounts(header_records=1)


def test_without_a_replica_damage_is_found_and_told(tmp_path: Path) -> None:
    world = StoredWorld(tmp_path, replica=None)
    good, bad = world.put(), world.put()
    world.write_header("prt_1")
    world.replicator.round()
    world.flip(world.file(PRIMARY, bad))
    counts = world.scrub()
    assert counts == ScrubCounts(
        payloads=2, bytes=400, header_records=1, corrupted=1, unrepairable=1
    )
    world.primary.blobs.check(good)
    world.close()


def test_a_replica_that_comes_late_gets_everything(tmp_path: Path) -> None:
    world = StoredWorld(tmp_path, replica=None)
    digest = world.put()
    world.write_header("prt_1")
    world.replicator.round()
    world.close()
    later = StoredWorld(tmp_path)
    later.inventory.wanted[digest] = 200
    assert later.replicator.round() == Replicated(1, 1)
    later.close()


def test_a_lost_primary_is_put_together_again_from_the_replica(world: StoredWorld) -> None:
    stored = _copied(world, 20)
    shutil.rmtree(world.folder / "primary" / "objects")
    (world.folder / "primary" / "objects").mkdir()
    counts = world.scrub()
    assert (counts.missing, counts.repaired, counts.unrepairable) == (20, 20, 0)
    for digest in stored:
        assert sha256_hex(world.file(PRIMARY, digest).read_bytes()) == digest
