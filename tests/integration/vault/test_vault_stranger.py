"""A program that was written from the protocol's page alone opens what we keep, and our vectors."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from escrow.vault.age import (
    FileKey,
    new_hybrid_identity,
    new_x25519_identity,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.blobs import FileBlobStore
from escrow.vault.ceremony import deal
from escrow.vault.headers import HeaderBinding, seal_header_record
from escrow.vault.keys import FileKeyManager, InsecureKeyManager
from escrow.vault.sealing import PayloadSealer
from tests.integration.vault import opener

PROGRAM = Path(__file__).with_name("opener.py")
PAGES = Path(__file__).parents[3] / "docs/protocol"
VECTORS = json.loads((PAGES / "sealing-vectors.json").read_text())


def _part(kind: str) -> bytes:
    return b"int main(void) { return 0; }\n" * 90_000 if kind == "text" else os.urandom(200_000)


@pytest.fixture(params=("text", "noise"))
def job(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """A part under both locks, as it lies after a deposit: agents of either kind of key."""
    store, file_key, part = FileBlobStore(tmp_path / "store"), FileKey.generate(), None
    sealer = PayloadSealer(store.stage(), file_key)
    part = _part(request.param)
    sealer.write(part)
    sealed = sealer.finish()
    agents = [new_x25519_identity(), new_hybrid_identity(), new_x25519_identity()]
    dealt = deal("agr_1", 1, 2, [str(one.recipient) for one in agents], bytes(32))
    with pytest.warns(InsecureKeyManager):
        keys = FileKeyManager(tmp_path / "keys")
    keys.create_key("agreement-agr_1")
    where = HeaderBinding("agr_1", "prd_1", "dep_1", "prt_1", sealed.payload_sha256, "a+b", 1)
    header = wrap_file_key(file_key, [parse_recipient(dealt.recipient)])
    with store.open(sealed.payload_sha256) as blob:
        (tmp_path / "payload").write_bytes(blob.read())
    return {
        "record": _b64(seal_header_record(keys, "agreement-agr_1", where, header)),
        "binding": asdict(where),
        "key_file": str(tmp_path / "keys/agreement-agr_1.key"),
        "share_files": [_b64(file) for file in dealt.sealed_share_files[:2]],
        "agents": [one.reveal() for one in agents[:2]],
        "recipient": dealt.recipient,
        "payload": str(tmp_path / "payload"),
        "manifest": asdict(sealed),
        "to": str(tmp_path / "part"),
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _run(job: dict[str, object], folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "job.json").write_text(json.dumps(job))
    # Isolated and elsewhere: neither this folder nor PYTHONPATH is looked into.
    command = [sys.executable, "-I", str(PROGRAM), str(folder / "job.json")]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True)


def test_it_opens_a_part_under_both_locks(job, tmp_path: Path) -> None:
    done = _run(job, tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    opened = hashlib.sha256((tmp_path / "part").read_bytes()).hexdigest()
    assert opened == job["manifest"]["sha256"]


@pytest.mark.parametrize(
    "change",
    (
        {"binding": {"deposit_id": "dep_2"}},
        {"manifest": {"sha256": "0" * 64}},
        {"agents": 1, "share_files": 1},
    ),
    ids=("another-deposit", "another-part", "one-agent-too-few"),
)
def test_it_opens_nothing_else(job, tmp_path: Path, change) -> None:
    for name, value in change.items():
        job[name] = job[name][:value] if isinstance(value, int) else {**job[name], **value}
    assert _run(job, tmp_path).returncode != 0
    assert not (tmp_path / "part").exists()


def test_it_knows_nothing_of_us() -> None:
    lines = PROGRAM.read_text().splitlines()
    imported = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
    ours = [one for one in imported if one.startswith(("escrow", "builders", "tests"))]
    assert ours == []


def test_it_opens_the_vectors() -> None:
    for vector in VECTORS["headers"]:
        prefix, raw = opener.bech32(vector["identity"])
        hybrid = prefix == "age-secret-key-pq-"
        key = opener.Hybrid(raw) if hybrid else opener.X25519PrivateKey.from_private_bytes(raw)
        header = vector["header"].encode()
        assert opener.open_header(header, key).hex() == vector["file_key"]
        if "payload" in vector:
            file = header + bytes.fromhex(vector["payload"])
            assert opener.open_age(file, vector["identity"]).decode() == vector["plaintext"]
    for vector in VECTORS["stream"]:
        if "payload" in vector:
            payload = bytes.fromhex(vector["payload"])
            opened = opener.open_payload(payload, bytes.fromhex(vector["file_key"]))
            assert opened == bytes(index % 251 for index in range(vector["size_bytes"]))


def test_it_opens_the_record_and_combines_the_shares_of_the_vectors() -> None:
    vector = VECTORS["header_record"]
    key = _b64(bytes.fromhex(vector["key"]))
    key_file = {"format": "escrow-file-key/1", "key_id": vector["key_id"], "key": key}
    record = base64.b64decode(vector["record"])
    assert opener.open_lock_b(record, key_file, vector["binding"]).decode() == vector["header"]
    shares = [bytes.fromhex(share) for share in VECTORS["shares"]["shares"]]
    assert opener.combine(shares[-VECTORS["shares"]["k"] :]).hex() == VECTORS["shares"]["secret"]
    ceremony = VECTORS["ceremony"]
    some = {name: ceremony[name][1:3] for name in ("share_files", "agents")}
    opener.open_lock_a({**some, "recipient": ceremony["recipient"]})
