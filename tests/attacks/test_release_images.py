"""Getting at the builder images of a release that is not one's own, or a damaged one."""

from __future__ import annotations

import hashlib

import httpx
import pytest
import zstandard

from builders.kit import UsedImage
from builders.orders import ImageId
from escrow.parties.permissions import Role
from escrow.verification.images import ImageKeeper


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def request_id(world) -> str:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    return request


@pytest.fixture
def images(world, request_id) -> list[dict]:
    """What a release lists, once it was executed."""
    for agent in ("agent_1", "agent_2"):
        world.confirm(request_id, agent)
    package = world.do("GET", f"/requests/{request_id}/release", "beneficiary")
    return package["deposits"][0]["images"]


def fetch(world, request_id: str, sha256: str, who: str = "beneficiary") -> httpx.Response:
    return world.ask("GET", f"/requests/{request_id}/images/{sha256}", who)


def kept(world) -> str:
    """Keep one more image, which no kit needs, and return the digest of its archive."""
    keeper = ImageKeeper(world.database, world.blobs, world.clock)
    image = UsedImage("builder", ImageId("sha256:" + "77" * 32), "escrow/builder-other:1")
    return keeper.keep(image, lambda _: iter([b"another tar"])).archive_sha256


def test_the_recipient_gets_the_tar_that_the_kit_names(world, request_id, images) -> None:
    assert len(images) == 2
    for image in images:
        answer = fetch(world, request_id, image["archive_sha256"])
        assert len(answer.content) == image["archive_size_bytes"]
        tar = zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
        assert hashlib.sha256(tar).hexdigest() == image["sha256"]


def test_an_image_before_the_release(world, request_id) -> None:
    answer = fetch(world, request_id, kept(world))
    assert (answer.status_code, answer.json()["code"]) == (409, "releases.not-released")


@pytest.mark.parametrize("who", ["vendor", "agent_1", "operator", "strangers", "auditor"])
def test_somebody_else_downloads_an_image(world, request_id, images, who) -> None:
    world.issue("strangers", "strangers", Role.BENEFICIARY)
    world.issue("auditor", "auditors", Role.AUDITOR, agreements=[world.agreement])
    assert fetch(world, request_id, images[0]["archive_sha256"]).is_success
    assert fetch(world, request_id, images[0]["archive_sha256"], who).status_code in (403, 404)


@pytest.mark.parametrize("of", ["another image", "a sealed payload", "nothing"])
def test_something_else_than_an_image_of_the_release(world, request_id, images, of) -> None:
    own = {one["archive_sha256"] for one in images}
    stored = {one.name for one in (world.ledger.folder / "blobs" / "objects").rglob("?" * 64)}
    payload = min(stored - own)
    digests = {"another image": kept(world), "a sealed payload": payload, "nothing": "0" * 64}
    answer = fetch(world, request_id, digests[of])
    assert (answer.status_code, answer.json()["code"]) == (404, "releases.file-unknown")


def test_a_damaged_image_never_looks_whole(world, request_id, images) -> None:
    digest = images[0]["archive_sha256"]
    (blob,) = (world.ledger.folder / "blobs").rglob(digest)
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)
    with pytest.raises(httpx.RemoteProtocolError):
        fetch(world, request_id, digest)
