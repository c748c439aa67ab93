"""Somebody puts an older, shorter or other ledger under the keyholder."""

import shutil
from pathlib import Path

import pytest

from escrow.ground.database import Database
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.errors import (
    CheckpointForged,
    HistoryGap,
    LeafGap,
    NodeRewritten,
    OtherHistory,
    RolledBack,
)
from escrow.testing.ledgers import LedgerWorld


@pytest.fixture
def world(tmp_path: Path):
    made = LedgerWorld(tmp_path)
    yield made
    made.close()


def _copy(world: LedgerWorld, name: str) -> Path:
    world.close()
    copied = world.folder / name
    for suffix in ("", "-wal", "-shm"):
        source = world.folder / f"ledger.db{suffix}"
        if source.exists():
            shutil.copy(source, f"{copied}{suffix}")
    return copied


def _put_back(world: LedgerWorld, copied: Path) -> None:
    world.close()
    for suffix in ("", "-wal", "-shm"):
        (world.folder / f"ledger.db{suffix}").unlink(missing_ok=True)
        if Path(f"{copied}{suffix}").exists():
            shutil.copy(f"{copied}{suffix}", world.folder / f"ledger.db{suffix}")
    world.database = Database(world.database.url)


def test_an_older_copy_of_the_database_is_refused(world: LedgerWorld) -> None:
    world.grow(3)
    copied = _copy(world, "older.db")
    world.grow(2)
    _put_back(world, copied)
    world.append()
    with pytest.raises(RolledBack, match="ends at 3 leaves; the last checkpoint had 5"):
        world.sequence()


def test_an_emptied_database_is_refused(world: LedgerWorld) -> None:
    copied = _copy(world, "empty.db")
    world.grow(2)
    _put_back(world, copied)
    world.append()
    with pytest.raises(RolledBack, match="ends at 0"):
        world.sequence()


def test_another_history_of_the_same_length_is_refused(world: LedgerWorld) -> None:
    copied = _copy(world, "fork.db")
    world.grow(3)
    memory = world.last_checkpoint.read_text()
    _put_back(world, copied)
    world.last_checkpoint.unlink()
    world.sequencer = world.new_sequencer()
    world.grow(3)
    world.last_checkpoint.write_text(memory)
    world.append()
    with pytest.raises(OtherHistory):
        world.sequence()


def test_a_ledger_beyond_the_keyholders_word_is_refused(world: LedgerWorld) -> None:
    world.grow(3)
    memory = world.last_checkpoint.read_text()
    world.grow(2)
    world.last_checkpoint.write_text(memory)
    world.append()
    with pytest.raises(HistoryGap, match="has 5 leaves; the keyholder's last word was 3"):
        world.sequence()


def test_a_removed_checkpoint_is_refused(world: LedgerWorld) -> None:
    world.grow(3)
    world.grow(2)
    world.tamper("DELETE FROM ledger_checkpoint WHERE tree_size = 5")
    world.append()
    with pytest.raises(RolledBack):
        world.sequence()
    with pytest.raises(LeafGap, match="There are 5 leaves"):
        world.check()


def test_a_checkpoint_of_another_log_is_refused(world: LedgerWorld, tmp_path: Path) -> None:
    world.grow(3)
    (tmp_path / "other").mkdir()
    other = LedgerWorld(tmp_path / "other", name="other")
    note = other.grow(3).note
    other.close()
    world.tamper("UPDATE ledger_checkpoint SET note = ?", note)
    world.append()
    with pytest.raises(CheckpointForged, match="of the log"):
        world.sequence()
    with pytest.raises(CheckpointForged, match=r"Checkpoint 3: .* of the log"):
        world.check()


def test_leaves_slipped_in_behind_the_checkpoint_are_refused(world: LedgerWorld) -> None:
    world.grow(3)
    entry = world.append()
    world.tamper("INSERT INTO ledger_leaf VALUES (3, ?, ?)", entry.number, bytes(128))
    with pytest.raises(LeafGap, match="There are 4 leaves"):
        world.sequence()


def test_rewritten_inner_hashes_are_never_built_upon(world: LedgerWorld) -> None:
    world.grow(6)
    world.tamper("UPDATE ledger_node SET hash = ? WHERE place = 2", bytes(32))
    world.append()
    with pytest.raises(NodeRewritten, match="do not give the root"):
        world.sequence()


def test_missing_inner_hashes_are_never_built_upon(world: LedgerWorld) -> None:
    world.grow(6)
    world.tamper("DELETE FROM ledger_node WHERE place = 2")
    world.append()
    with pytest.raises(NodeRewritten, match="missing"):
        world.sequence()


def test_a_stolen_log_key_alone_cannot_move_the_keyholder(world: LedgerWorld) -> None:
    world.grow(3)
    forged = sign_checkpoint(3, bytes(32), world.key("log"))
    world.tamper("UPDATE ledger_checkpoint SET note = ?", forged.note)
    world.append()
    with pytest.raises(OtherHistory):
        world.sequence()
