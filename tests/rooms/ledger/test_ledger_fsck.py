"""The check of the whole ledger, when the whole ledger is sound."""

from escrow.ledger.events import Stream
from escrow.ledger.fsck import check_tree
from escrow.ledger.merkle import EMPTY_ROOT
from escrow.testing.ledgers import LedgerWorld


def test_an_empty_ledger_is_sound(world: LedgerWorld) -> None:
    summary = world.check()
    assert (summary.entries, summary.leaves, summary.checkpoint) == (0, 0, None)
    assert summary.root_hex == EMPTY_ROOT.hex()


def test_the_summary_counts(world: LedgerWorld) -> None:
    world.grow(5)
    world.append(2, stream=Stream("product", "prd_1"), role="worker")
    newest = world.sequence()
    world.append(3)
    summary = world.check()
    assert (summary.entries, summary.streams, summary.leaves, summary.pending) == (10, 2, 7, 3)
    assert (summary.checkpoint, summary.checkpoints) == (newest, 2)
    assert newest is not None
    assert summary.root_hex == newest.root_hex


def test_the_check_goes_over_many_batches(world: LedgerWorld) -> None:
    world.grow(5_100)
    world.grow(100)
    summary = world.check()
    assert (summary.leaves, summary.checkpoints) == (5_200, 2)


def test_the_tree_alone_is_checked_without_roles(world: LedgerWorld) -> None:
    newest = world.grow(70)
    with world.database.reading() as session:
        summary = check_tree(session, world.keys.log)
    assert (summary.leaves, summary.root_hex) == (70, newest.root_hex)
