"""The way of a request over HTTP, from its filing to opened materials."""

from __future__ import annotations

import json

import pyrage
import zstandard

from escrow.evidence.checking import check_document
from escrow.testing.timestamps import waits_for_time


def opened(world, answer) -> bytes:
    """Open an age file with a program that we did not write."""
    identity = pyrage.x25519.Identity.from_str(world.cast.identity("beneficiary_primary").reveal())
    return pyrage.decrypt(answer.content, [identity])


def test_consent_and_two_confirmations_release(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    assert world.confirm(request, "agent_1")["state"] == "confirming"
    assert world.confirm(request, "agent_3")["state"] == "released"
    package = world.do("GET", f"/requests/{request}/release", "beneficiary")
    assert package["last_verified"] == [package["deposits"][0]["deposit_id"]]
    files = package["deposits"][0]["files"]
    source = next(one for one in files if one["original"] == "source/core")
    content = opened(world, world.fetch(request, source["id"]))
    if source["encoding"] == "zstd":
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    assert len(content) == source["size_bytes"]
    certificate = json.dumps(package["certificate"])
    assert waits_for_time(world.database, certificate)
    checked = check_document(certificate, world.ledger.trust_root)
    assert checked.facts()["released_to"] == world.cast.beneficiary
    worker = world.ledger.key("worker").public.key_id
    deposit = package["deposits"][0]["deposit_id"]
    assert checked.facts()["reported_by"] == [f"{deposit}: worker key {worker[:16]}"]
