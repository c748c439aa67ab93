"""The keyholder's memory of each stream's newest entry: what is noted outlives a kill."""

from __future__ import annotations

import pytest

from escrow.ground.database import when_committed
from escrow.ledger import stream_heads
from escrow.ledger.chains import read_chain, verify_chain
from escrow.ledger.errors import HeadBehind
from escrow.ledger.events import Stream
from escrow.ledger.rows import StreamHead
from escrow.ledger.stream_heads import StreamHeads
from escrow.testing.ledgers import LedgerWorld

ONE, OTHER = Stream("agreement", "agr_1"), Stream("agreement", "agr_2")


@pytest.fixture
def world(tmp_path):
    world = LedgerWorld(tmp_path)
    yield world
    world.close()


def head(world, number: int) -> StreamHead:
    return StreamHead(number, f"{number:064x}", world.clock.now())


def proven(world, stream: Stream):
    """A chain of one entry that nobody here has noted."""
    world.append(stream=stream)
    world.sequence()
    with world.database.reading() as session:
        return verify_chain(read_chain(session, stream), world.keys, stream)


def test_the_newest_of_each_stream_outlives_a_restart(world, tmp_path) -> None:
    chain = proven(world, ONE)
    heads = StreamHeads(tmp_path / "own")
    heads.remember({ONE: head(world, 1), OTHER: head(world, 2)})
    heads.remember({ONE: StreamHead(0, chain.head_sha256, world.clock.now())})
    again = StreamHeads(tmp_path / "own")
    again.check_reaches(ONE, chain)
    with pytest.raises(HeadBehind):
        again.check_reaches(OTHER, chain)


def test_what_another_process_noted_counts(world, tmp_path) -> None:
    chain = proven(world, ONE)
    mine, its = StreamHeads(tmp_path / "own"), StreamHeads(tmp_path / "own")
    mine.remember({ONE: StreamHead(0, chain.head_sha256, world.clock.now())})
    its.remember({ONE: head(world, 1)})
    with pytest.raises(HeadBehind):
        mine.check_reaches(ONE, chain)


def test_a_line_that_a_kill_cut_off_is_left_out_and_the_next_one_stands(world, tmp_path) -> None:
    chain = proven(world, ONE)
    StreamHeads(tmp_path / "own").remember({OTHER: head(world, 2)})
    with (tmp_path / "own" / "journal").open("a") as file:
        file.write("agreement-agr_1 7 00")
    heads = StreamHeads(tmp_path / "own")
    heads.check_reaches(ONE, chain)
    heads.remember({ONE: head(world, 1)})
    with pytest.raises(HeadBehind, match="lacks its entry"):
        StreamHeads(tmp_path / "own").check_reaches(ONE, chain)
    with pytest.raises(HeadBehind, match="lacks its entry"):
        StreamHeads(tmp_path / "own").check_reaches(OTHER, chain)


def test_a_journal_of_old_lines_is_written_anew(world, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(stream_heads, "_LINES", 10)
    heads = StreamHeads(tmp_path / "own")
    for number in range(25):
        heads.remember({ONE: head(world, number)})
    lines = (tmp_path / "own" / "journal").read_text().splitlines()
    assert len(lines) <= 10
    assert lines[-1].split()[1] == "24"


@pytest.mark.parametrize("text", ["agreement-agr_1 0\n", "agreement-agr_1 x " + "0" * 64 + "\n"])
def test_a_journal_that_nobody_can_read_stops_the_keyholder(world, tmp_path, text) -> None:
    chain = proven(world, ONE)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "journal").write_text(text)
    with pytest.raises(HeadBehind):
        StreamHeads(tmp_path / "own").check_reaches(ONE, chain)


def test_a_journal_that_vanishes_under_the_keyholder_stops_it(world, tmp_path) -> None:
    chain = proven(world, ONE)
    heads = StreamHeads(tmp_path / "own")
    heads.remember({OTHER: head(world, 2)})
    (tmp_path / "own" / "journal").unlink()
    with pytest.raises(HeadBehind):
        heads.check_reaches(ONE, chain)


def test_files_of_before_the_journal_are_taken_into_it(world, tmp_path) -> None:
    chain = proven(world, ONE)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "agreement-agr_1").write_text(f"0 {'0' * 64}\n")
    StreamHeads(tmp_path / "own").remember({OTHER: head(world, 2)})
    assert len((tmp_path / "own" / "journal").read_text().splitlines()) == 2
    with pytest.raises(HeadBehind):
        StreamHeads(tmp_path / "own").check_reaches(ONE, chain)


def test_nothing_is_noted_of_a_transaction_that_was_given_up(world) -> None:
    done = []
    with pytest.raises(RuntimeError), world.database.writing() as session:
        when_committed(session, lambda: done.append("given up"))
        raise RuntimeError
    with world.database.writing() as session:
        when_committed(session, lambda: done.append("kept"))
        assert done == []
    assert done == ["kept"]
