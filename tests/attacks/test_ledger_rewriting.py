"""Somebody with the database file in hand changes what was written; each change has its error."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

from escrow.ground.digests import canonical_json
from escrow.ledger import records
from escrow.ledger.auditing import check_entry
from escrow.ledger.entries import parse_entry, sign_entry
from escrow.ledger.errors import (
    CheckpointForged,
    EntryForged,
    EntryRemoved,
    EntryRowRewritten,
    EntrySkipped,
    LeafForged,
    LeafGap,
    LeafRewritten,
    LedgerBroken,
    NodeRewritten,
    RootWrong,
    RowUnreadable,
    StreamForked,
    StreamGap,
    TimeRunsBack,
)
from escrow.ledger.events import Event, Stream
from escrow.ledger.fsck import check_tree
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.reading import read_stream
from escrow.testing.ledgers import STREAM, LedgerWorld, named_key


@pytest.fixture
def world(tmp_path: Path):
    made = LedgerWorld(tmp_path)
    made.grow(5)
    made.grow(3)
    yield made
    made.close()


def _forge(world: LedgerWorld, sequence: int, signer: str = "portal", **changes: object) -> None:
    """Append an entry by hand, signed by a key that the attacker has."""
    at = world.clock.now()
    previous = changes.pop("previous", None) or _digest(world, sequence - 1)
    known = {"stream": STREAM, "sequence": sequence, "previous": previous}
    rest = {"type": "a:b:c", "role": "portal", "actor": "x", "at": at, "nonce": "0" * 64}
    event = Event(**{**known, **rest, "data": {}, **changes})  # type: ignore[arg-type]
    entry = sign_entry(event, world.key(signer))
    world.tamper(
        "INSERT INTO ledger_entry (entry_sha256, stream_kind, stream_id, stream_sequence, type,"
        " at, entry) VALUES (?, ?, ?, ?, ?, ?, ?)",
        parse_entry(entry).entry_sha256,
        event.stream.kind,
        event.stream.id,
        event.sequence,
        event.type,
        event.at.replace(tzinfo=None).isoformat(" ", "microseconds"),
        entry,
    )


def _digest(world: LedgerWorld, sequence: int) -> str:
    with world.database.reading() as session:
        return read_stream(session, STREAM, from_sequence=sequence, limit=1)[0].entry_sha256


@pytest.mark.parametrize(
    ("tampering", "error", "row"),
    [
        ("UPDATE ledger_entry SET entry = entry || ' ' WHERE number = 3", EntryRowRewritten, "3"),
        (
            "UPDATE ledger_entry SET entry = CAST(entry AS TEXT) WHERE number = 3",
            EntryRowRewritten,
            "3",
        ),
        ("UPDATE ledger_entry SET entry_sha256 = 'x' WHERE number = 3", EntryRowRewritten, "3"),
        ("UPDATE ledger_entry SET type = 'a:b:c' WHERE number = 3", EntryRowRewritten, "3"),
        (
            "UPDATE ledger_entry SET at = '2020-01-01 00:00:00' WHERE number = 3",
            EntryRowRewritten,
            "3",
        ),
        ("UPDATE ledger_entry SET stream_id = 'agr_0' WHERE number = 3", EntryRowRewritten, "3"),
        ("DELETE FROM ledger_entry WHERE number = 3", EntryRemoved, "Leaf 2"),
        ("DELETE FROM ledger_leaf WHERE leaf_index = 2", LeafGap, "Leaf 2"),
        ("DELETE FROM ledger_leaf WHERE leaf_index = 7", LeafGap, "7 leaves"),
        ("UPDATE ledger_leaf SET leaf_index = -1 WHERE leaf_index = 7", LeafGap, "Leaf 0"),
        (
            "UPDATE ledger_leaf SET leaf = zeroblob(128) WHERE leaf_index = 2",
            LeafRewritten,
            "Leaf 2",
        ),
        (
            "UPDATE ledger_leaf SET leaf = substr(leaf, 1, 127) WHERE leaf_index = 2",
            LeafForged,
            "Leaf 2",
        ),
        (
            "UPDATE ledger_node SET hash = zeroblob(32) WHERE place = 1",
            NodeRewritten,
            "Inner hash 1 ",
        ),
        (
            "DELETE FROM ledger_node WHERE place = 1",
            NodeRewritten,
            "Inner hash 1 ",
        ),
        ("INSERT INTO ledger_node VALUES (7, zeroblob(32))", NodeRewritten, "more inner"),
        (
            "UPDATE ledger_checkpoint SET note = 'x' WHERE tree_size = 5",
            CheckpointForged,
            "Checkpoint 5",
        ),
        (
            "UPDATE ledger_checkpoint SET tree_size = 6 WHERE tree_size = 5",
            CheckpointForged,
            "Checkpoint 6",
        ),
        ("DELETE FROM ledger_checkpoint", LeafGap, "8 leaves"),
        ("UPDATE ledger_entry SET at = 'noon' WHERE number = 3", RowUnreadable, "noon"),
        ("UPDATE ledger_leaf SET leaf = 7 WHERE leaf_index = 2", LeafRewritten, "Leaf 2"),
        ("UPDATE ledger_checkpoint SET note = x'00'", CheckpointForged, "Checkpoint 5"),
    ],
)
def test_a_changed_row_is_named(
    world: LedgerWorld, tampering: str, error: type[LedgerBroken], row: str
) -> None:
    world.tamper(tampering)
    with pytest.raises(error, match=row) as found:
        world.check()
    assert type(found.value) is error


def test_swapped_entries_are_found(world: LedgerWorld) -> None:
    world.tamper("UPDATE ledger_leaf SET entry_number = 100 WHERE leaf_index = 2")
    world.tamper("UPDATE ledger_leaf SET entry_number = 3 WHERE leaf_index = 3")
    world.tamper("UPDATE ledger_leaf SET entry_number = 4 WHERE leaf_index = 2")
    with pytest.raises(LeafRewritten, match="Leaf 2"):
        world.check()


def test_an_event_rewritten_and_signed_anew_is_found(world: LedgerWorld) -> None:
    """The portal's stolen key signs another past; the leaves remember the true one."""
    world.tamper("DELETE FROM ledger_entry WHERE number = 8")
    _forge(world, 7, data={"deposit": "dep_other"})
    with pytest.raises(LeafRewritten, match="Leaf 7"):
        world.check()


def test_another_key_signs_the_same_leaf(world: LedgerWorld) -> None:
    entry = _entry(world, 8)
    world.tamper(
        "UPDATE ledger_leaf SET leaf = ? WHERE leaf_index = 7",
        sign_leaf(entry, named_key("thief")).encoded,
    )
    with pytest.raises(LeafForged, match="Leaf 7"):
        world.check()


def test_the_tree_alone_finds_a_leaf_of_another_key_by_its_root(world: LedgerWorld) -> None:
    world.tamper(
        "UPDATE ledger_leaf SET leaf = ? WHERE leaf_index = 7",
        sign_leaf(_entry(world, 8), named_key("thief")).encoded,
    )
    with world.database.reading() as session, pytest.raises(RootWrong, match="first 8 leaves"):
        check_tree(session, world.keys.log)


def test_a_forged_role_is_found_and_never_sequenced(world: LedgerWorld) -> None:
    _forge(world, 8, signer="thief")
    with pytest.raises(EntryForged, match=r"Entry 9: .*does not name"):
        world.sequence()
    with pytest.raises(EntryForged, match="Entry 9"):
        world.check()


def test_one_roles_key_cannot_speak_for_another(world: LedgerWorld) -> None:
    _forge(world, 8, signer="worker", role="keyholder")
    with pytest.raises(EntryForged, match="'keyholder'"):
        world.sequence()


def test_a_skipped_number_is_never_sequenced(world: LedgerWorld) -> None:
    _forge(world, 9, previous=_digest(world, 7))
    with pytest.raises(StreamGap, match="number 9"):
        world.sequence()
    with pytest.raises(StreamGap):
        world.check()


def test_another_predecessor_is_never_sequenced(world: LedgerWorld) -> None:
    _forge(world, 8, previous="0" * 64)
    with pytest.raises(StreamForked):
        world.sequence()


def test_a_first_event_has_no_predecessor(world: LedgerWorld) -> None:
    _forge(world, 0, stream=Stream("product", "prd_1"), previous="0" * 64)
    with pytest.raises(StreamForked):
        world.sequence()


def test_an_event_dated_back_is_never_sequenced(world: LedgerWorld) -> None:
    _forge(world, 8, at=world.clock.now() - timedelta(seconds=1))
    with pytest.raises(TimeRunsBack):
        world.sequence()


def test_an_entry_removed_before_it_was_sequenced_leaves_a_gap(world: LedgerWorld) -> None:
    first = world.append()
    world.append()
    world.tamper("DELETE FROM ledger_entry WHERE number = ?", first.number)
    with pytest.raises(StreamGap):
        world.sequence()


def test_a_swapped_signature_is_found(world: LedgerWorld) -> None:
    """The signature of one event under another, digests and leaves made to fit."""
    one, other = json.loads(_entry(world, 1)), json.loads(_entry(world, 8))
    other["signature"] = one["signature"]
    entry = canonical_json(other)
    digest = hashlib.sha256(entry).hexdigest()
    world.tamper(
        "UPDATE ledger_entry SET entry = ?, entry_sha256 = ? WHERE number = 8", entry, digest
    )
    leaf = sign_leaf(entry, world.key("leaf")).encoded
    world.tamper("UPDATE ledger_leaf SET leaf = ? WHERE entry_number = 8", leaf)
    with pytest.raises(RootWrong):
        world.check()
    with pytest.raises(EntryForged, match=r"Entry 8: .*does not hold"):
        _check_streams(world)


def test_an_entry_left_out_is_found_and_taken_in_by_the_next_keyholder(
    world: LedgerWorld,
) -> None:
    world.append()
    world.tamper("UPDATE ledger_entry SET number = 100 WHERE number = 9")
    world.sequence()
    world.append()
    world.tamper("UPDATE ledger_entry SET number = 50 WHERE number = 101")
    assert world.sequence() is None
    with pytest.raises(EntrySkipped, match="Entry 50 "):
        world.check()
    world.sequencer = world.new_sequencer()
    world.sequence()
    assert world.check().leaves == 10


def _entry(world: LedgerWorld, number: int) -> bytes:
    with world.database.reading() as session:
        digest = read_stream(session, STREAM, from_sequence=number - 1, limit=1)[0].entry_sha256
    return world.proof(digest).entry


def _check_streams(world: LedgerWorld) -> None:
    with world.database.reading() as session:
        before = None
        for row in records.entries_by_stream(session):
            check_entry(row, before, world.keys.roles)
            before = row.as_head


def test_an_unreadable_pending_row_stops_the_keyholder(world: LedgerWorld) -> None:
    world.append()
    world.tamper("UPDATE ledger_entry SET at = 'noon' WHERE number = 9")
    with pytest.raises(RowUnreadable, match="noon"):
        world.sequence()
