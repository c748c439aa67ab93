"""Every public age vector (C2SP/CCTV, out of npm's cctv-age), run against our age core.

A vector tells the outcome, and a digest of all plaintext that may come out before it.
"""

import base64
import hashlib
import json
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from escrow.vault.age import (
    MAX_SMALL_FILE_BYTES,
    Identity,
    Passphrase,
    decrypt_bytes,
    open_header,
    parse_identity,
)
from escrow.vault.age_format import split_header
from escrow.vault.errors import (
    HeaderForged,
    HeaderMalformed,
    NoIdentityMatches,
    PayloadTampered,
    PayloadTruncated,
)
from escrow.vault.sealing import open_payload
from tests.integration.vault.nodes import run_node

EXCLUSIONS = tomllib.loads((Path(__file__).parent / "cctv_exclusions.toml").read_text())
EXCLUDED = {name for one in EXCLUSIONS.values() for name in one["vectors"]}

OUTCOMES = {
    HeaderMalformed: "header failure",
    NoIdentityMatches: "no match",
    HeaderForged: "HMAC failure",
    PayloadTampered: "payload failure",
    PayloadTruncated: "payload failure",
}
REFUSALS = tuple(OUTCOMES)
NOTHING = hashlib.sha256().hexdigest()


@dataclass
class Vector:
    """One vector, its file decompressed."""

    file: bytes
    fields: dict[str, str]
    identities: list[Identity] = field(default_factory=list)


def _read(raw: bytes) -> Vector:
    head, _, file = raw.partition(b"\n\n")
    lines = [line.split(": ", 1) for line in head.decode().splitlines()]
    vector = Vector(file, dict(lines))
    if vector.fields.get("compressed") == "zlib":
        vector.file = zlib.decompress(file)
    for key, value in lines:
        if key == "identity":
            vector.identities.append(parse_identity(value))
        if key == "passphrase":
            vector.identities.append(Passphrase(value))
    return vector


@pytest.fixture(scope="module")
def vectors() -> dict[str, Vector]:
    printed = json.loads(run_node("cctv.mjs"))
    return {name: _read(base64.b64decode(text)) for name, text in printed.items()}


def _outcome(vector: Vector) -> str:
    # A few have 16 MiB and one chunk, to see the counter carry; they only stream.
    is_small = len(vector.file) <= MAX_SMALL_FILE_BYTES
    try:
        if is_small:
            decrypt_bytes(vector.file, vector.identities)
        else:
            list(_stream(vector.file, vector.identities))
    except REFUSALS as problem:
        return OUTCOMES[type(problem)]
    return "success"


def _stream(file: bytes, identities: list[Identity]) -> Iterator[bytes]:
    header, payload = split_header(file)
    return open_payload([payload], open_header(header, identities), "identity")


def _streamed(vector: Vector) -> str:
    """Return the digest of all that an opening gives out, however it ends."""
    digest = hashlib.sha256()
    try:
        for piece in _stream(vector.file, vector.identities):
            digest.update(piece)
    except REFUSALS:
        assert vector.fields["expect"] != "success"
    else:
        assert vector.fields["expect"] == "success"
    return digest.hexdigest()


def test_every_vector_is_run_or_named_with_its_reason(vectors) -> None:
    assert len(vectors) >= 143
    armoured = {name for name, one in vectors.items() if one.fields.get("armored") == "yes"}
    # Exactly: one that is gone, or that the core could run, may not stay on the list.
    assert armoured == EXCLUDED
    assert all(len(reason.split()) > 5 for reason in EXCLUSIONS)


def test_every_vector_has_its_outcome(vectors) -> None:
    run = {name: one for name, one in vectors.items() if name not in EXCLUDED}
    outcomes = {name: _outcome(one) for name, one in run.items()}
    assert outcomes == {name: one.fields["expect"] for name, one in run.items()}
    assert len(run) >= 110


def test_no_vector_gives_out_more_or_less_than_it_may(vectors) -> None:
    run = {name: one for name, one in vectors.items() if name not in EXCLUDED}
    streamed = {name: _streamed(one) for name, one in run.items()}
    assert streamed == {name: one.fields.get("payload", NOTHING) for name, one in run.items()}
