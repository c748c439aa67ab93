"""The vectors of docs/protocol/sealing-vectors.json: the page and the program say the same."""

import base64
import hashlib
import itertools
import json
from pathlib import Path

import pytest

from escrow.ground.signatures import SigningKey
from escrow.vault.age import (
    FileKey,
    HybridIdentity,
    decrypt_bytes,
    open_header,
    parse_identity,
)
from escrow.vault.age_stream import ChunkCutter
from escrow.vault.ceremony import combine_canary, liveness_key, open_share_file
from escrow.vault.headers import HeaderBinding, file_key_commitment, open_header_record
from escrow.vault.keys import FileKeyManager
from escrow.vault.lanes import lane_statement, verify_lane
from escrow.vault.sealing import open_payload
from escrow.vault.shares import combine

PAGE = Path(__file__).parents[3] / "docs" / "protocol"
VECTORS = json.loads((PAGE / "sealing-vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["stream"], ids=lambda one: str(one["size_bytes"]))
def test_stream_vectors_are_made_and_opened(vector) -> None:
    key, nonce = (bytes.fromhex(vector[name]) for name in ("file_key", "payload_nonce"))
    plain = bytes(index % 251 for index in range(vector["size_bytes"]))
    cutter = ChunkCutter(FileKey(key), nonce)
    sealed = memoryview(bytearray(cutter.room_for(len(plain))))
    payload = bytes(sealed[: cutter.cut(memoryview(plain), sealed, final=True)])
    assert hashlib.sha256(payload).hexdigest() == vector["payload_sha256"]
    assert payload.hex() == vector.get("payload", payload.hex())
    assert len(payload) == vector["payload_size_bytes"]
    assert b"".join(open_payload([payload], FileKey(key), "identity")) == plain


def test_the_zstd_vector_opens() -> None:
    vector = VECTORS["zstd"]
    payload = bytes.fromhex(vector["payload"])
    opened = b"".join(open_payload([payload], FileKey(bytes.fromhex(vector["file_key"])), "zstd"))
    assert hashlib.sha256(payload).hexdigest() == vector["payload_sha256"]
    assert hashlib.sha256(opened).hexdigest() == vector["plaintext_sha256"]


@pytest.mark.parametrize("vector", VECTORS["headers"], ids=lambda one: one["made_by"])
def test_header_vectors_open(vector) -> None:
    identity = parse_identity(vector["identity"])
    header = vector["header"].encode()
    file_key = open_header(header, [identity])
    assert str(identity.recipient) == vector["recipient"]
    assert file_key.raw.hex() == vector["file_key"]
    if "seed" in vector:
        assert identity == HybridIdentity(bytes.fromhex(vector["seed"]))
    if "payload" in vector:
        plain = decrypt_bytes(header + bytes.fromhex(vector["payload"]), [identity])
        assert plain.decode() == vector["plaintext"]


def test_stock_age_made_a_header_of_either_kind() -> None:
    kinds = {one["identity"][:18] for one in VECTORS["headers"] if one["made_by"] == "age 1.3.2"}
    assert {kind.startswith("AGE-SECRET-KEY-PQ-") for kind in kinds} == {True, False}


def test_the_header_record_vector_opens(keys: FileKeyManager, tmp_path: Path) -> None:
    vector = VECTORS["header_record"]
    key = base64.b64encode(bytes.fromhex(vector["key"])).decode()
    file = {"format": "escrow-file-key/1", "key_id": vector["key_id"], "key": key}
    (tmp_path / "keys" / f"{vector['key_id']}.key").write_text(json.dumps(file))
    binding = HeaderBinding(**vector["binding"])
    record = base64.b64decode(vector["record"])
    assert binding.aad().decode("latin1") == vector["aad"]
    opened = open_header_record(keys, vector["key_id"], binding, record)
    assert opened.decode() == vector["header"]


def test_the_commitment_vector_is_made() -> None:
    vector = VECTORS["commitment"]
    key = FileKey(bytes.fromhex(vector["file_key"]))
    assert file_key_commitment(vector["salt"], key) == vector["commitment"]


def test_the_lane_vector_is_made_and_verified() -> None:
    vector = VECTORS["lane"]
    signer = SigningKey.from_seed(bytes(32))
    statement = lane_statement(vector["deposit_id"], vector["recipient"])
    signature = base64.b64decode(vector["signature"])
    assert statement.decode("latin1") == vector["statement"]
    assert signer.sign(statement) == signature
    assert str(signer.public) == vector["keyholder"]
    verify_lane(vector["deposit_id"], vector["recipient"], signature, signer.public)


def test_any_k_shares_of_the_vector_combine() -> None:
    vector = VECTORS["shares"]
    shares = [bytes.fromhex(share) for share in vector["shares"]]
    for some in itertools.permutations(shares, vector["k"]):
        assert combine(some).hex() == vector["secret"]


def test_the_ceremony_vector_opens() -> None:
    vector = VECTORS["ceremony"]
    agents = [parse_identity(text) for text in vector["agents"]]
    sealed = [base64.b64decode(text) for text in vector["share_files"]]
    opened = [open_share_file(file, agent) for file, agent in zip(sealed, agents, strict=True)]
    assert [one.share.hex() for one in opened] == vector["shares"]
    assert [one.canary_share.hex() for one in opened] == vector["canary_shares"]
    assert [str(liveness_key(one.share).public) for one in opened] == vector["liveness_keys"]
    canary = combine_canary(
        [one.canary_share for one in opened[:2]], base64.b64decode(vector["canary_file"])
    )
    assert canary.decode() == vector["canary_secret"]
    sealing = HybridIdentity(combine([one.share for one in opened[1:]]))
    assert str(sealing.recipient) == vector["recipient"]


def test_every_member_is_explained_on_the_page() -> None:
    page = (PAGE / "sealing.md").read_text()
    assert [name for name in VECTORS if name != "format" and f"| `{name}` |" not in page] == []
