"""Uploads that must not become parts, and requests that reach for what is another's."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from escrow.parties.permissions import Role
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import served
from escrow.testing.uploads import TusClient


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IntakeWorld]:
    scratch = Path(tempfile.mkdtemp(prefix="escrow-scratch-"))
    world = IntakeWorld(tmp_path, scratch)
    yield world
    world.close()
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def tus(world: IntakeWorld) -> Iterator[TusClient]:
    with served(world.app(idle_seconds=2)) as url, TusClient(url, world.token()) as client:
        client.deposit = world.draft()
        yield client


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"]
    return str(answer.json()["code"])


def test_without_a_token(tus: TusClient) -> None:
    answer = tus.create("dump", 10, token="")
    assert (answer.status_code, code_of(answer)) == (401, "request.not-authenticated")


def test_draft_of_another_vendor_is_absent(world: IntakeWorld, tus: TusClient) -> None:
    answer = tus.create("dump", 10, token=world.token("mallory"))
    assert (answer.status_code, code_of(answer)) == (404, "deposits.deposit-unknown")


def test_upload_of_another_vendor_is_absent(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    mallory = world.token("mallory")
    assert tus.head(location, token=mallory).status_code == 404
    assert tus.patch(location, 0, b"x", token=mallory).status_code == 404
    assert tus.delete(location, token=mallory).status_code == 404
    absent = tus.patch(location.replace("dep_", "dep_x"), 0, b"x", token=mallory)
    assert code_of(absent) == code_of(tus.patch(location, 0, b"x", token=mallory))


def test_upload_reached_through_another_draft_is_absent(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    other = location.replace(tus.deposit, world.draft())
    assert tus.head(other).status_code == 404


def test_beneficiary_cannot_upload(world: IntakeWorld, tus: TusClient) -> None:
    answer = tus.create("dump", 10, token=world.token("acme", Role.BENEFICIARY))
    assert answer.status_code == 404


def test_wrong_offset(tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    answer = tus.patch(location, 4, b"1234")
    assert (answer.status_code, code_of(answer)) == (409, "deposits.upload-offset-wrong")
    assert tus.offset(location) == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_piece_with_a_wrong_checksum_is_not_kept(tus: TusClient, algorithm: str) -> None:
    location = tus.create("dump", 10).headers["location"]
    wrong = base64.b64encode(hashlib.new(algorithm, b"other").digest()).decode()
    answer = tus.patch(location, 0, b"01234", {"Upload-Checksum": f"{algorithm} {wrong}"})
    assert (answer.status_code, code_of(answer)) == (460, "deposits.upload-checksum-wrong")
    assert tus.offset(location) == 0


def test_unknown_checksum(tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    answer = tus.patch(location, 0, b"01234", {"Upload-Checksum": "md5 AAAA"})
    assert (answer.status_code, code_of(answer)) == (400, "deposits.upload-checksum-unknown")


def test_part_that_is_not_the_announced_one(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 5, sha256=hashlib.sha256(b"other").hexdigest()).headers[
        "location"
    ]
    answer = tus.patch(location, 0, b"01234")
    assert (answer.status_code, code_of(answer)) == (460, "deposits.upload-checksum-wrong")
    assert tus.head(location).status_code == 410
    assert world.parts(tus.deposit) == []


def test_more_bytes_than_announced(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 4).headers["location"]
    answer = tus.patch(location, 0, b"01234")
    assert (answer.status_code, code_of(answer)) == (413, "deposits.upload-too-large")
    assert tus.offset(location) == 0
    assert world.parts(tus.deposit) == []


def test_more_bytes_than_announced_in_chunks(tus: TusClient) -> None:
    location = tus.create("dump", 4).headers["location"]
    answer = tus.patch(location, 0, iter([b"01", b"234"]))
    assert answer.status_code == 413
    assert tus.offset(location) == 0


def test_part_larger_than_any_may_be(tus: TusClient) -> None:
    answer = tus.create("dump", 2**50)
    assert (answer.status_code, code_of(answer)) == (413, "deposits.upload-too-large")


def test_expired_upload(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    tus.patch(location, 0, b"01234")
    # Short of the token's own end.
    world.clock.move(timedelta(hours=25).total_seconds())
    answer = tus.patch(location, 5, b"56789")
    assert (answer.status_code, code_of(answer)) == (410, "deposits.upload-gone")
    assert world.desk.expire() == 1
    assert world.leftovers() == []


def test_upload_whose_scratch_was_lost(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    tus.patch(location, 0, b"01234")
    world.desk.rest()
    shutil.rmtree(world.scratch / "uploads")
    (world.scratch / "uploads").mkdir()
    answer = tus.patch(location, 5, b"56789")
    assert (answer.status_code, code_of(answer)) == (410, "deposits.upload-gone")
    assert world.leftovers() == []


def test_terminated_upload(world: IntakeWorld, tus: TusClient) -> None:
    location = tus.create("dump", 10).headers["location"]
    tus.patch(location, 0, b"01234")
    assert tus.delete(location).status_code == 204
    assert tus.head(location).status_code == 410
    assert world.leftovers() == []


def test_second_part_of_the_same_name(tus: TusClient) -> None:
    tus.patch(tus.create("dump", 1).headers["location"], 0, b"x")
    answer = tus.create("dump", 1)
    assert (answer.status_code, code_of(answer)) == (409, "deposits.part-exists")


def test_sealed_deposit_takes_no_more(world: IntakeWorld, tus: TusClient) -> None:
    tus.patch(tus.create("dump", 1).headers["location"], 0, b"x")
    world.intake.finish(tus.deposit, "tok_1")
    answer = tus.create("more", 1)
    assert (answer.status_code, code_of(answer)) == (409, "deposits.deposit-not-open")


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "a/b", "-rf", ".hidden", "a\x1bb", "x" * 121, ""]
)
def test_part_names_that_would_harm(tus: TusClient, name: str) -> None:
    assert tus.create(name, 1).status_code in (400, 422)


@pytest.mark.parametrize("metadata", ["", "kind", "kind !!!", "kind ZGF0YQ==,name"])
def test_unreadable_metadata(tus: TusClient, metadata: str) -> None:
    answer = tus.create("dump", 1, metadata=metadata)
    assert (answer.status_code, code_of(answer)) == (400, "deposits.upload-malformed")


def test_another_version_of_the_protocol(tus: TusClient) -> None:
    answer = tus.create("dump", 1, headers={"Tus-Resumable": "0.2.2"})
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")


def test_another_content_type(tus: TusClient) -> None:
    location = tus.create("dump", 1).headers["location"]
    answer = tus.patch(location, 0, b"x", {"Content-Type": "multipart/form-data"})
    assert (answer.status_code, code_of(answer)) == (415, "deposits.upload-wrong-type")
