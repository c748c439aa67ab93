"""The recovery kit of an examination, and the images that are kept for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from builders.errors import EngineUnavailable
from builders.kit import UsedImage
from builders.orders import ImageId
from escrow.evidence.bundles import SignedDocument
from escrow.ground.digests import Sha256Hex
from escrow.ledger.records import entries_by_stream
from escrow.testing.runners import build_fails
from escrow.testing.verification import VerificationWorld
from escrow.vault import records as vault
from escrow.verification import records
from escrow.verification.examinations import DOCUMENTS_SEALED
from escrow.verification.images import ImageKeeper

IMAGE = UsedImage("builder", ImageId("sha256:" + "12" * 32), "escrow/builder-x:1")


@pytest.fixture
def keeper(world: VerificationWorld) -> ImageKeeper:
    return ImageKeeper(world.database, world.blobs, world.clock)


def save(image: ImageId) -> Iterator[bytes]:
    """Yield a compressible tar in pieces."""
    yield from (image.encode() * 1_000 for _ in range(100))


def test_a_kit_names_commands_results_and_images_by_digest(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    kit = json.loads(world.documents(deposit_id)["kit"])
    (component,), (part,) = kit["components"], kit["parts"]
    assert (kit["format"], kit["verdict"]) == ("escrow-kit/1", "pass")
    assert component["phases"][0]["environment"]["SOURCE_DATE_EPOCH"]
    assert component["artifacts"][0]["sha256"] == "ab" * 32
    assert (part["file"], part["place"]) == ("parts/source/core", "src")
    assert {one["role"] for one in kit["images"]} == {"inspector", "builder"}
    assert component["imageId"] in {one["imageId"] for one in kit["images"]}


def test_a_failed_build_has_a_kit_too(world: VerificationWorld) -> None:
    world.runner.build = build_fails
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    kit = json.loads(world.documents(deposit_id)["kit"])
    assert (kit["verdict"], kit["components"][0]["artifacts"]) == ("fail", [])


def test_what_was_not_built_has_no_kit(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit({}, {"docs/manual": b"text"})
    world.verify(deposit_id)
    assert "kit" not in world.documents(deposit_id)


def test_the_kit_is_logged_by_the_worker_like_every_document(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    with world.database.reading() as session:
        (row,) = [one for one in vault.documents_of(session, deposit_id) if one.kind == "kit"]
        (logged,) = [one for one in entries_by_stream(session) if one.type == DOCUMENTS_SEALED]
        needed = records.images_of_kits(session, [row.id])
    assert row.payload_sha256 in logged.entry.decode()
    assert len(needed) == 2


def test_the_vendors_report_names_the_kits_digest(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    documents = world.documents(deposit_id)
    report = SignedDocument.from_json(documents["report"].decode())
    assert hashlib.sha256(documents["kit"]).hexdigest().encode() in report.envelope.payload


def test_an_image_is_exported_once_for_all_deposits(world: VerificationWorld) -> None:
    world.verify(world.sealed_deposit())
    exported = list(world.runner.saved)
    world.verify(world.sealed_deposit())
    assert len(exported) == 2
    assert world.runner.saved == exported


def test_a_kept_image_is_the_tar_that_the_engine_gave(
    world: VerificationWorld, keeper: ImageKeeper
) -> None:
    archive = keeper.keep(IMAGE, save)
    with world.blobs.open(Sha256Hex(archive.archive_sha256)) as file:
        tar = zstandard.ZstdDecompressor().decompressobj().decompress(file.read())
    assert hashlib.sha256(tar).hexdigest() == archive.tar_sha256
    assert (len(tar), archive.archive_size_bytes < len(tar)) == (archive.tar_size_bytes, True)


def test_two_jobs_at_once_keep_one_image(keeper: ImageKeeper) -> None:
    calls = []

    def counted(image: ImageId) -> Iterator[bytes]:
        calls.append(image)
        return save(image)

    with ThreadPoolExecutor(4) as pool:
        archives = set(pool.map(lambda _: keeper.keep(IMAGE, counted), range(4)))
    assert (len(archives), len(calls)) == (1, 1)


def test_two_workers_at_once_keep_the_first_ones_row(
    world: VerificationWorld, keeper: ImageKeeper
) -> None:
    """Another process finished while ours was exporting: what it wrote stands."""

    def overtaken(image: ImageId) -> Iterator[bytes]:
        archive = keeper._compressed(iter([b"the other worker's"]))
        row = records.BuilderImageRow(
            image_id=image,
            name="x",
            file="images/x",
            kept_at=world.clock.now(),
            **vars(archive),
        )
        with world.database.writing() as session:
            records.keep_builder_image(session, row)
        yield from save(image)

    archive = keeper.keep(IMAGE, overtaken)
    assert archive.tar_sha256 == hashlib.sha256(b"the other worker's").hexdigest()
    assert keeper.keep(IMAGE, save) == archive


def test_an_engine_that_breaks_in_the_middle_leaves_nothing(
    world: VerificationWorld, keeper: ImageKeeper
) -> None:
    def breaks(image: ImageId) -> Iterator[bytes]:
        yield from save(image)
        raise EngineUnavailable("It went away.", "Start it.")

    with pytest.raises(EngineUnavailable):
        keeper.keep(IMAGE, breaks)
    assert world.blobs.sweep_staging() == 0
    assert keeper.keep(IMAGE, save).tar_size_bytes == len(IMAGE.id) * 100_000


def test_a_lost_archive_is_stored_again(world: VerificationWorld, keeper: ImageKeeper) -> None:
    archive = keeper.keep(IMAGE, save)
    for blob in (world.ledger.folder / "blobs" / "objects").rglob(archive.archive_sha256):
        blob.unlink()
    again = keeper.keep(IMAGE, lambda image: iter([b"made anew"]))
    assert again.tar_sha256 == hashlib.sha256(b"made anew").hexdigest()
    assert keeper.keep(IMAGE, save) == again
