"""The sequencer takes what is pending, once, and remembers what it signed."""

import json

import pytest

from escrow.ledger.errors import LastCheckpointLost
from escrow.ledger.events import Stream
from escrow.testing.ledgers import LedgerWorld


def test_nothing_pending_nothing_signed(world: LedgerWorld) -> None:
    assert world.sequence() is None
    world.grow(2)
    assert world.sequence() is None


def test_all_pending_entries_become_leaves(world: LedgerWorld) -> None:
    sizes = [world.grow(count).tree_size for count in (1, 2, 5, 8, 13)]
    assert sizes == [1, 3, 8, 16, 29]
    assert world.check().leaves == 29


def test_many_batches_make_one_checkpoint(world: LedgerWorld) -> None:
    world.append(2_100)
    world.append(stream=Stream("product", "prd_1"), role="worker")
    checkpoint = world.sequence()
    assert checkpoint is not None
    assert checkpoint.tree_size == 2_101
    assert world.check().checkpoints == 1


def test_a_new_keyholder_goes_on(world: LedgerWorld) -> None:
    world.grow(3)
    world.sequencer = world.new_sequencer()
    assert world.grow(2).tree_size == 5
    assert world.check().leaves == 5


def test_an_aborted_transaction_leaves_a_memory_that_fits(world: LedgerWorld) -> None:
    world.grow(3)
    world.append(2)
    with pytest.raises(ZeroDivisionError), world.database.writing() as session:
        world.sequencer.sequence(session)
        raise ZeroDivisionError
    assert json.loads(world.last_checkpoint.read_text())["intended"] is not None
    assert world.grow(1).tree_size == 6
    assert world.check().leaves == 6


def test_a_death_after_the_commit_leaves_a_memory_that_fits(world: LedgerWorld) -> None:
    world.grow(3)
    world.append()
    with world.database.writing() as session:
        world.sequencer.sequence(session)
        # What the file says while the commit happens, and after a death right behind it.
        at_commit = world.last_checkpoint.read_text()
    world.last_checkpoint.write_text(at_commit)
    world.sequencer = world.new_sequencer()
    assert world.grow(1).tree_size == 5


def test_after_a_commit_nothing_is_intended(world: LedgerWorld) -> None:
    checkpoint = world.grow(3)
    memory = json.loads(world.last_checkpoint.read_text())
    assert memory["intended"] is None
    assert memory["last"] == checkpoint.note


def test_a_lost_memory_stops_and_can_be_adopted(world: LedgerWorld) -> None:
    head = world.grow(3)
    world.last_checkpoint.unlink()
    world.append()
    with pytest.raises(LastCheckpointLost, match="missing"):
        world.sequence()
    with world.database.reading() as session:
        assert world.sequencer.adopt(session) == head
    assert world.grow(1).tree_size == 5


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":"escrow-last-checkpoint/1"}'])
def test_an_unreadable_memory_stops(world: LedgerWorld, text: str) -> None:
    world.grow(1)
    world.last_checkpoint.write_text(text)
    with pytest.raises(LastCheckpointLost, match="cannot be read"):
        world.sequence()


def test_the_memory_is_for_its_owner_alone(world: LedgerWorld) -> None:
    world.grow(1)
    assert world.last_checkpoint.stat().st_mode & 0o777 == 0o600
