"""Live log lines over a real connection: from the worker's scratch to the portal's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from escrow.operations.calls.lines import BadCall, CallNotAllowed, ask
from escrow.operations.calls.mutual_tls import Address, TlsLine, TlsServer
from escrow.operations.log_relay import RemoteMirror, relay_desk
from escrow.testing.lines import Installation, serving
from escrow.verification.log import LiveLog, log_folder, read_live_log
from escrow.verification.mirror import LogMirror, LogSender

EXAMINATION = "exa_1"


class Relay:
    """A portal's port for live logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Installation(folder)
        self.scratch = folder / "portal"

    @contextmanager
    def line(self, role: str) -> Iterator[TlsLine]:
        own, peers = self.place.credentials("portal"), {"worker": self.place.pem["worker"]}
        if role == "keyholder":
            # Known on the network, and no worker.
            peers["keyholder"] = self.place.pem["keyholder"]
        desk = relay_desk(LogMirror(self.scratch))
        server = TlsServer(Address("127.0.0.1", 0), own, peers, desk)
        with serving(server):
            address = Address("127.0.0.1", server.server_address[1])
            yield TlsLine(address, self.place.credentials(role), self.place.pem["portal"])


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    return Relay(tmp_path)


def test_every_byte_of_a_log_arrives(relay: Relay) -> None:
    whole = bytes(range(256)) * 1024
    with relay.line("worker") as line:
        log = LiveLog(log_folder(relay.folder / "worker", EXAMINATION))
        log.write(whole)
        log.end()
        LogSender(relay.folder / "worker", RemoteMirror(line)).send_news()
    found = b""
    while (piece := read_live_log(log_folder(relay.scratch, EXAMINATION), len(found))).data:
        found += piece.data
    assert found == whole
    assert piece.ended


def test_nobody_but_a_worker_writes_a_log(relay: Relay) -> None:
    with relay.line("keyholder") as line, pytest.raises(CallNotAllowed):
        RemoteMirror(line).take(EXAMINATION, "w", 0, b"lies")


@pytest.mark.parametrize("name", ["../../etc", "..", "", "a/b", "x" * 65])
def test_a_name_that_leads_out_of_the_scratch_is_refused(relay: Relay, name: str) -> None:
    with relay.line("worker") as line, pytest.raises(BadCall):
        RemoteMirror(line).take(name, "w", 0, b"lies")


@pytest.mark.parametrize(("offset", "data"), [("one", "YQ=="), ("0", "?"), ("0", "Y")])
def test_what_is_no_piece_is_refused(relay: Relay, offset: str, data: str) -> None:
    piece = {"examination_id": EXAMINATION, "writer": "w", "offset": offset, "data": data}
    with relay.line("worker") as line, line.connected() as connection, pytest.raises(BadCall):
        ask(connection, "take-log", piece)
