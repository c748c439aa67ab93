"""Resumable uploads over a real server: what comes in, and what an interruption leaves."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from escrow.deposits.recovery import clear_up
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import KillableServer
from escrow.testing.uploads import TusClient


@pytest.fixture
def tus(world: IntakeWorld, url: str, token: str) -> Iterator[TusClient]:
    with TusClient(url, token) as client:
        client.deposit = world.draft()
        yield client


def test_a_part_in_two_pieces(world: IntakeWorld, tus: TusClient) -> None:
    content = os.urandom(3_000_000)
    location = tus.create("dump.sql", len(content)).headers["location"]
    first = tus.patch(location, 0, content[:1_234_567])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "1234567")
    assert tus.offset(location) == 1_234_567
    last = tus.patch(location, 1_234_567, content[1_234_567:])
    assert last.headers["upload-offset"] == str(len(content))
    [part] = world.parts(tus.deposit)
    assert (part.kind, part.name, part.sha256) == (
        "data",
        "dump.sql",
        hashlib.sha256(content).hexdigest(),
    )
    assert world.opened(part) == content
    assert world.leftovers() == []


def test_a_finished_draft_is_a_deposit_with_receipt(world: IntakeWorld, tus: TusClient) -> None:
    tus.patch(tus.create("manual.txt", 5, kind="docs").headers["location"], 0, b"hello")
    sealed = world.intake.finish(tus.deposit, "tok_1")
    assert (sealed.number, world.intake.finish(tus.deposit, "tok_1").number) == (1, 1)
    assert '"escrow-signed-document/1"' in sealed.receipt_json
    assert world.jobs.keys == [f"verify-{tus.deposit}"]


def test_an_empty_part(world: IntakeWorld, tus: TusClient) -> None:
    created = tus.create("empty", 0)
    assert (created.status_code, created.headers["upload-offset"]) == (201, "0")
    [part] = world.parts(tus.deposit)
    assert (part.size_bytes, world.opened(part)) == (0, b"")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_piece_with_its_checksum(world: IntakeWorld, tus: TusClient, algorithm: str) -> None:
    content = b"0123456789" * 1000
    location = tus.create("dump", len(content)).headers["location"]
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    answer = tus.patch(location, 0, content, {"Upload-Checksum": f"{algorithm} {digest}"})
    assert answer.status_code == 204
    assert world.opened(world.parts(tus.deposit)[0]) == content


def test_what_the_server_can_do_is_told_without_a_token(tus: TusClient) -> None:
    headers = tus.options().headers
    assert headers["tus-version"] == "1.0.0"
    assert headers["tus-extension"] == "creation,checksum,expiration,termination"
    assert headers["tus-checksum-algorithm"] == "sha256,sha1"


def test_a_new_upload_of_the_same_part_replaces_the_unfinished(
    world: IntakeWorld, tus: TusClient
) -> None:
    first = tus.create("dump", 10).headers["location"]
    tus.patch(first, 0, b"01234")
    second = tus.create("dump", 2).headers["location"]
    assert tus.head(first).status_code == 410
    assert tus.patch(second, 0, b"ab").status_code == 204
    assert world.opened(world.parts(tus.deposit)[0]) == b"ab"


def test_a_dropped_connection_keeps_what_it_brought(
    world: IntakeWorld, tus: TusClient, url: str, token: str
) -> None:
    content = os.urandom(2_500_000)
    location = tus.create("dump", len(content)).headers["location"]
    send_and_drop(url, token, location, content[:2_000_000], len(content))
    kept = wait_for_offset(tus, location, 2_000_000)
    assert tus.patch(location, kept, content[kept:]).status_code == 204
    assert world.opened(world.parts(tus.deposit)[0]) == content


def test_a_new_request_takes_over_from_a_dead_one(
    world: IntakeWorld, tus: TusClient, url: str, token: str
) -> None:
    content = b"x" * 100_000
    location = tus.create("dump", len(content)).headers["location"]
    silent = send_part(url, token, location, content[:60_000], len(content))
    time.sleep(0.5)
    # The first request still stands; its offset is the later one's to ask for.
    tus.patch(location, 0, b"")
    kept = tus.offset(location)
    assert kept == 60_000
    assert tus.patch(location, kept, content[kept:]).status_code == 204
    silent.close()


def test_a_killed_server_goes_on_from_the_offset_it_tells(tmp_path: Path, scratch: Path) -> None:
    content = os.urandom(5_000_000)
    world = IntakeWorld(tmp_path, scratch)
    token, draft = world.token(), world.draft()
    with KillableServer(tmp_path, scratch) as server, TusClient(server.url, token) as tus:
        tus.deposit = draft
        location = tus.create("dump", len(content)).headers["location"]
        tus.patch(location, 0, content[:3_000_000])
        send_part(server.url, token, location, content[3_000_000:4_000_000], 2_000_000, 3_000_000)
        server.kill()
    with KillableServer(tmp_path, scratch) as server, TusClient(server.url, token) as tus:
        kept = tus.offset(location)
        assert 3_000_000 <= kept <= 4_000_000
        assert tus.patch(location, kept, content[kept:]).status_code == 204
    assert world.opened(world.parts(draft)[0]) == content
    assert world.leftovers() == []
    world.close()


def test_a_restart_keeps_what_can_go_on_and_sweeps_the_rest(
    world: IntakeWorld, tus: TusClient
) -> None:
    location = tus.create("dump", 10).headers["location"]
    tus.patch(location, 0, b"01234")
    world.blobs.stage().append(b"left by a dead push")
    (world.scratch / "uploads" / "upload_of_nobody").mkdir()
    world.desk.rest()
    cleared = clear_up(world.intake, world.desk, world.blobs, world.scratch / "push")
    assert (cleared.stagings_discarded, cleared.deposits_abandoned) == (1, 0)
    assert tus.offset(location) == 5
    assert tus.patch(location, 5, b"56789").status_code == 204
    assert world.leftovers() == []


def send_part(
    url: str, token: str, location: str, content: bytes, promise: int, offset: int = 0
) -> socket.socket:
    """Send the beginning of a piece and keep the line."""
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Length: {promise}\r\n"
        "Content-Type: application/offset+octet-stream\r\n\r\n"
    )
    address = urlsplit(url)
    line = socket.create_connection((address.hostname, address.port), timeout=30)
    line.sendall(head.encode() + content)
    return line


def send_and_drop(url: str, token: str, location: str, content: bytes, promise: int) -> None:
    send_part(url, token, location, content, promise).close()


def wait_for_offset(tus: TusClient, location: str, wanted: int) -> int:
    until = time.monotonic() + 20
    while tus.offset(location) < wanted and time.monotonic() < until:
        time.sleep(0.05)
    return tus.offset(location)
