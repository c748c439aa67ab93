"""A live log that is written by one process and read at another, whichever of them restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from escrow.ground.errors import Unavailable
from escrow.verification.errors import LogNotFound
from escrow.verification.log import LiveLog, delete_live_log, log_folder, read_live_log
from escrow.verification.mirror import LogMirror, LogSender

EXAMINATION = "exa_1"


class Away(Unavailable):
    """The portal is away."""

    code = "testing.portal-away"


class Sides:
    """A worker's scratch and a portal's, with a line between that can be cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at_portal = folder / "portal"
        self.at_worker = folder / "worker"
        self.is_cut = False
        self.restart_portal()
        self.sender = LogSender(self.at_worker, self)
        self.log = self.writes()

    def restart_portal(self) -> None:
        self.mirror = LogMirror(self.at_portal)

    def writes(self, scratch: Path | None = None) -> LiveLog:
        return LiveLog(log_folder(scratch or self.at_worker, EXAMINATION))

    def read(self, offset: int = 0) -> bytes:
        return read_live_log(log_folder(self.at_portal, EXAMINATION), offset).data

    @property
    def has_ended(self) -> bool:
        return read_live_log(log_folder(self.at_portal, EXAMINATION)).ended

    def take(self, examination_id: str, writer: str, offset: int, data: bytes) -> int:
        self._check()
        return self.mirror.take(examination_id, writer, offset, data)

    def end(self, examination_id: str, writer: str) -> None:
        self._check()
        self.mirror.end(examination_id, writer)

    def drop(self, examination_id: str, writer: str) -> None:
        self._check()
        self.mirror.drop(examination_id, writer)

    def _check(self) -> None:
        if self.is_cut:
            raise Away("The portal is away.", "Start it.")


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def test_what_is_written_here_is_read_there(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.log.write(b"two\n")
    sides.sender.send_news()
    assert sides.read() == b"one\ntwo\n"
    assert sides.read(4) == b"two\n"


def test_a_long_log_goes_over_in_pieces(sides: Sides) -> None:
    whole = bytes(range(256)) * 1024
    sides.log.write(whole)
    sides.sender.send_news()
    found = b""
    while piece := sides.read(len(found)):
        found += piece
    assert found == whole


def test_nothing_is_lost_or_said_twice_while_the_portal_is_away(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.is_cut = True
    sides.log.write(b"two\n")
    with pytest.raises(Away):
        sides.sender.send_news()
    sides.is_cut = False
    sides.sender.send_news()
    assert sides.read() == b"one\ntwo\n"


def test_a_portal_that_restarts_gets_all_of_it_again(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.restart_portal()
    sides.log.write(b"two\n")
    sides.sender.send_news()
    assert sides.read() == b"one\ntwo\n"


def test_a_worker_that_restarts_goes_on_where_it_was(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.sender = LogSender(sides.at_worker, sides)
    again = sides.writes()
    again.write(b"two\n")
    sides.sender.send_news()
    assert sides.read() == b"one\ntwo\n"


def test_another_worker_that_takes_over_goes_on_behind(sides: Sides, tmp_path: Path) -> None:
    sides.log.write(b"first\n")
    sides.sender.send_news()
    elsewhere = tmp_path / "worker-2"
    sides.writes(elsewhere).write(b"second\n")
    successor = LogSender(elsewhere, sides)
    successor.send_news()
    sides.log.write(b"of one who does not know yet\n")
    sides.sender.send_news()
    delete_live_log(log_folder(sides.at_worker, EXAMINATION))
    sides.sender.send_news()
    assert sides.read() == b"first\nsecond\n"


def test_an_end_is_told_and_a_sealed_log_is_gone_at_both_ends(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    assert not sides.has_ended
    sides.log.end()
    sides.sender.send_news()
    assert sides.has_ended
    delete_live_log(log_folder(sides.at_worker, EXAMINATION))
    sides.sender.send_news()
    with pytest.raises(LogNotFound):
        sides.read()


def test_what_a_dead_worker_left_is_deleted_once_its_examination_is_over(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.mirror.forget(lambda _: False)
    assert sides.read() == b"one\n"
    sides.mirror.forget(lambda _: True)
    with pytest.raises(LogNotFound):
        sides.read()


def test_a_portal_begins_with_an_empty_mirror(sides: Sides) -> None:
    sides.log.write(b"one\n")
    sides.sender.send_news()
    sides.restart_portal()
    with pytest.raises(LogNotFound):
        sides.read()
