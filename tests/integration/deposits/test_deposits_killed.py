"""kill -9 of the service during a push: nothing acknowledged is lost, nothing half-done stays."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from escrow.deposits.git_wire import FLUSH, ZERO_ID, packet
from escrow.deposits.recovery import Cleared, clear_up
from escrow.testing.gits import Pushed, TrialRepository
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import KillableServer


def restarted(world: IntakeWorld) -> Cleared:
    return clear_up(world.intake, world.desk, world.blobs, world.scratch / "push")


def test_a_push_half_received_leaves_nothing(
    world: IntakeWorld, tmp_path: Path, scratch: Path, repository: TrialRepository
) -> None:
    with KillableServer(tmp_path, scratch) as server:
        line = begin_push(server.url, world.token(), repository.head())
        wait_for(scratch / "push", "push_*/repository.git/objects/*incoming*/pack/*")
        server.kill()
        line.close()
    assert restarted(world).pushes_removed == 1
    assert world.leftovers() == []
    assert world.sealed() == []


# The push of this repository takes about half a second; the moments fall into each of its steps.
@pytest.mark.parametrize("moment", [0.05, 0.1, 0.2, 0.3, 0.45, 0.6])
def test_a_kill_at_any_moment(
    moment: float, world: IntakeWorld, tmp_path: Path, scratch: Path, repository: TrialRepository
) -> None:
    repository.commit({f"noise{i}": os.urandom(200_000) for i in range(40)})
    outcome: list[Pushed] = []
    with KillableServer(tmp_path, scratch) as server:
        token = world.token()
        push = threading.Thread(target=lambda: outcome.append(repository.push(server.url, token)))
        push.start()
        time.sleep(moment)
        server.kill()
        push.join()
    restarted(world)
    assert world.leftovers() == []
    sealed = world.sealed()
    assert len(sealed) >= int(outcome[0].is_accepted)
    assert all(deposit.receipt_json for deposit in sealed)
    again = restarted(world)
    assert (again.pushes_removed, again.deposits_abandoned, again.deposits_unfinished) == (0, 0, 0)


def test_a_sealed_deposit_without_receipt_is_completed(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    pushed = repository.push(url, token)
    assert "its receipt waits for the keyholder" in pushed.text
    assert "push again" not in pushed.text
    world.keyholder.is_out_for_headers = False
    [deposit] = world.sealed()
    assert deposit.receipt_json is None
    assert restarted(world).deposits_unfinished == 0
    assert world.sealed()[0].receipt_json is not None


def wait_for(folder: Path, pattern: str) -> None:
    until = time.monotonic() + 20
    while not list(folder.glob(pattern)):
        assert time.monotonic() < until
        time.sleep(0.02)


def begin_push(url: str, token: str, commit: str) -> socket.socket:
    """Send the commands and the beginning of a pack, and keep the line."""
    command = f"{ZERO_ID} {commit} refs/heads/main\0 report-status side-band-64k"
    body = packet(command.encode()) + FLUSH + b"PACK\0\0\0\2\0\0\0\5" + b"\x90"
    credential = base64.b64encode(f"x:{token}".encode()).decode()
    head = (
        "POST /git/acme/engine/core.git/git-receive-pack HTTP/1.1\r\nHost: t\r\n"
        f"Authorization: Basic {credential}\r\nContent-Length: 1000000\r\n\r\n"
    )
    address = urlsplit(url)
    line = socket.create_connection((address.hostname, address.port), timeout=30)
    line.sendall(head.encode() + body)
    return line
