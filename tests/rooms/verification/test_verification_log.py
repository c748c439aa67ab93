import hashlib
from pathlib import Path

import pytest

from escrow.verification.errors import LogNotFound, LogOffsetUnknown
from escrow.verification.log import (
    LiveLog,
    delete_live_log,
    follow_live_log,
    log_folder,
    read_live_log,
)


def test_a_finished_log_is_read_to_its_end_without_waiting(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "log")
    log.write(b"one\n")
    log.note("two")
    log.end()
    pieces = list(follow_live_log(tmp_path / "log", 0))
    assert b"".join(piece.data for piece in pieces) == b"one\n[escrow] two\n"
    assert pieces[-1].ended


def test_a_reader_resumes_at_a_byte(tmp_path: Path) -> None:
    log = LiveLog(tmp_path)
    log.write(b"0123456789")
    first = read_live_log(tmp_path, 0, limit_bytes=4)
    assert (first.data, first.next_offset, first.ended) == (b"0123", 4, False)
    assert read_live_log(tmp_path, first.next_offset).data == b"456789"


def test_a_reader_is_told_to_wait_for_what_is_written_later(tmp_path: Path) -> None:
    log = LiveLog(tmp_path)
    pieces = follow_live_log(tmp_path, 0)
    waiting = next(pieces)
    assert (waiting.data, waiting.ended) == (b"", False)
    log.write(b"late\n")
    log.end()
    assert [piece.data for piece in pieces] == [b"late\n"]


def test_a_log_that_is_sealed_while_followed_ends(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "log")
    log.write(b"a\n")
    pieces = follow_live_log(tmp_path / "log", 0)
    first = next(pieces)
    delete_live_log(tmp_path / "log")
    assert (first.data, first.ended) == (b"a\n", False)
    assert [(piece.data, piece.ended) for piece in pieces] == [(b"", True)]


def test_a_log_never_grows_beyond_its_limit_and_says_so(tmp_path: Path) -> None:
    log = LiveLog(tmp_path, limit_bytes=200)
    for _ in range(50):
        log.write(b"0123456789\n")
    text = (tmp_path / "build.log").read_text()
    assert len(text) == log.size_bytes <= 200
    assert text.count("longer than is kept") == 1
    assert log.cut


def test_a_second_attempt_writes_on_behind_the_first(tmp_path: Path) -> None:
    first = LiveLog(tmp_path)
    first.write(b"first\n")
    first.end()
    second = LiveLog(tmp_path)
    second.write(b"second\n")
    assert not read_live_log(tmp_path).ended
    assert second.sha256() == hashlib.sha256(b"first\nsecond\n").hexdigest()


def test_no_log_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(LogNotFound):
        read_live_log(tmp_path / "none")


@pytest.mark.parametrize("offset", [-1, 5])
def test_an_offset_outside_the_log_is_refused(tmp_path: Path, offset: int) -> None:
    LiveLog(tmp_path).write(b"abcd")
    with pytest.raises(LogOffsetUnknown):
        read_live_log(tmp_path, offset)


def test_the_folder_of_a_log_lies_below_scratch(tmp_path: Path) -> None:
    assert log_folder(tmp_path, "exa_1").is_relative_to(tmp_path)
