"""What every line between two processes promises; each carrier inherits the suite."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from escrow.ground.errors import Refused, Unavailable
from escrow.ground.identifiers import DepositId
from escrow.ground.signatures import SigningKey
from escrow.operations.calls.lines import BadCall, CallNotAllowed, Desk, Line
from escrow.operations.calls.unix import SERVICE, UnixLine, UnixServer
from escrow.operations.keyholder.client import RemoteKeyholder, call
from escrow.operations.keyholder.wire import KeyholderOut
from escrow.testing.lines import Installation, serving
from escrow.vault.errors import LaneClosed, WrongPassphrase

DEPOSIT = DepositId("dep_1")


def _lane_is_closed(deposit_id: str) -> None:
    raise LaneClosed(f"The lane of {deposit_id} is closed.", "Ask the agents.")


def _wrong_passphrase(deposit_id: str) -> None:
    raise WrongPassphrase("It does not open.", "Try another.")


def _broken(deposit_id: str) -> None:
    raise ZeroDivisionError(deposit_id)


class LineConformance:
    @abstractmethod
    @contextmanager
    def line_to(self, make_desk: Callable[[str], Desk]) -> Iterator[Line]: ...

    @pytest.fixture
    def line(self) -> Iterator[Line]:
        meeting = threading.Barrier(2, timeout=10)
        verbs = {
            "ping": lambda: "here",
            "echo": lambda word: {"word": word},
            "open-for-verification": _lane_is_closed,
            "close-lane": _wrong_passphrase,
            "broken": _broken,
            "meet": lambda: meeting.wait() >= 0,
            "of-others": lambda: "secret",
        }
        allowed = frozenset(verbs) - {"of-others"}
        with self.line_to(lambda role: Desk(verbs, {role: allowed})) as line:
            yield line

    def test_an_answer_comes_back_as_it_was_given(self, line: Line) -> None:
        assert call(line, "ping", {}) == "here"
        assert call(line, "echo", {"word": "dep_01:2"}) == {"word": "dep_01:2"}

    def test_a_closed_lane_is_told_from_other_refusals(self, line: Line) -> None:
        keyholder = RemoteKeyholder(line, SigningKey.generate().public)
        with pytest.raises(LaneClosed, match="The lane of dep_1 is closed"):
            keyholder.open_for_verification(DEPOSIT)

    def test_other_errors_keep_family_code_and_words(self, line: Line) -> None:
        keyholder = RemoteKeyholder(line, SigningKey.generate().public)
        with pytest.raises(Refused, match="It does not open") as refusal:
            keyholder.close_lane(DEPOSIT)
        assert refusal.value.code == "vault.wrong-passphrase"
        assert not isinstance(refusal.value, LaneClosed)

    def test_a_fault_of_the_other_side_is_unavailable_and_tells_nothing(self, line: Line) -> None:
        with pytest.raises(Unavailable, match="error of its own") as fault:
            call(line, "broken", {"deposit_id": "dep_1"})
        assert "dep_1" not in str(fault.value)
        assert call(line, "ping", {}) == "here"

    def test_what_is_not_an_identifier_is_no_argument(self, line: Line) -> None:
        for word in ("two words", "../up", "", "x" * 129):
            with pytest.raises(BadCall):
                call(line, "echo", {"word": word})

    def test_what_the_role_may_not_ask_is_refused_whether_there_or_not(self, line: Line) -> None:
        for verb in ("of-others", "unheard-of"):
            with pytest.raises(CallNotAllowed):
                call(line, verb, {})

    def test_two_calls_are_answered_at_one_time(self, line: Line) -> None:
        with ThreadPoolExecutor(2) as people:
            assert list(people.map(lambda _: call(line, "meet", {}), range(2))) == [True, True]

    def test_something_that_is_no_call_is_answered_and_the_next_one_too(self, line: Line) -> None:
        for junk in (b"\n", b"[]\n", b'{"verb": 1, "arguments": {}}\n', b"\xff\xfe\n"):
            with line.connected() as connection:
                connection.sendall(junk)
                assert b"calls.bad-call" in connection.recv(4096)
        assert call(line, "ping", {}) == "here"


class TestUnixLine(LineConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "keyholder.sock"

    @contextmanager
    def line_to(self, make_desk: Callable[[str], Desk]) -> Iterator[Line]:
        server = UnixServer(self.path, make_desk(SERVICE), frozenset({os.geteuid()}))
        with serving(server):
            yield UnixLine(self.path)

    def test_nobody_there_is_a_keyholder_that_is_out(self) -> None:
        with pytest.raises(KeyholderOut, match="does not answer"):
            call(UnixLine(self.path), "ping", {})


class TestTlsLine(LineConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.place = Installation(tmp_path)

    @contextmanager
    def line_to(self, make_desk: Callable[[str], Desk]) -> Iterator[Line]:
        with self.place.keyholder(make_desk("portal")) as address:
            yield self.place.line("portal", address)

    def test_nobody_there_is_a_keyholder_that_is_out(self) -> None:
        with self.place.keyholder(Desk({}, {})) as address:
            line = self.place.line("portal", address)
        with pytest.raises(KeyholderOut, match="does not answer"):
            call(line, "ping", {})
