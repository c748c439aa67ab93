"""The published vectors: made by this code, and checked by a reading of the document alone."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.entries import sign_entry
from escrow.ledger.events import Event, Stream
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.merkle import Frontier, hash_ranges, inclusion_ranges, root_of
from escrow.ledger.verifying import LedgerProof, TrustedLogKeys, verify_proof
from escrow.testing.ledgers import named_key

FILE = Path(__file__).resolve().parents[3] / "docs/protocol/vectors/ledger-1.json"
STREAM = Stream("agreement", "agr_01")
SIZE, PROVEN = 5, 2


def _entries() -> list[bytes]:
    entries: list[bytes] = []
    for number in range(SIZE):
        previous = hashlib.sha256(entries[-1]).hexdigest() if entries else None
        event = Event(
            stream=STREAM,
            sequence=number,
            previous=previous,
            type="deposits:deposit:sealed",
            role="portal",
            actor="tok_01",
            at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC) + timedelta(seconds=number),
            nonce=f"{number:064x}",
            data={"deposit": f"dep_{number}", "parts": [1, None, True], "sha256": "ab" * 32},
        )
        entries.append(sign_entry(event, named_key("vector/portal")))
    return entries


def _vectors() -> dict[str, object]:
    entries = _entries()
    leaves = [sign_leaf(entry, named_key("vector/leaf")) for entry in entries]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf.hash)
    checkpoint = sign_checkpoint(SIZE, frontier.root(), named_key("vector/log"))
    path = hash_ranges(
        inclusion_ranges(PROVEN, SIZE),
        lambda level, at: root_of(one.hash for one in leaves[at << level : (at + 1) << level]),
    )
    proof = LedgerProof(
        entry=entries[PROVEN],
        leaf_index=PROVEN,
        leaf_key_hash=leaves[PROVEN].key_hash,
        leaf_signature=leaves[PROVEN].signature,
        path=path,
        checkpoint=checkpoint.note,
    )
    log = named_key("vector/log").public
    return {
        "keys": {one: str(named_key(f"vector/{one}").public) for one in ("portal", "leaf", "log")},
        "entries": [entry.decode() for entry in entries],
        "leaves": [leaf.encoded.hex() for leaf in leaves],
        "leaf_hashes": [leaf.hash.hex() for leaf in leaves],
        "root": checkpoint.root_hex,
        "checkpoint": checkpoint.note,
        "proof": proof.to_json(),
        "sigsum_proof": proof.to_sigsum_text(log),
    }


@pytest.fixture(scope="module")
def published() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_the_published_vectors_are_what_this_code_makes(published: dict) -> None:
    assert published == _vectors()


def test_the_published_proof_holds(published: dict) -> None:
    keys = {name: PublicKey.parse(text) for name, text in published["keys"].items()}
    trusted = TrustedLogKeys(keys["log"], keys["leaf"], {"portal": keys["portal"]})
    verified = verify_proof(LedgerProof.from_json(published["proof"]), trusted)
    assert verified.event.data["deposit"] == "dep_2"


def test_a_stranger_checks_by_the_document_alone(published: dict) -> None:
    """ledger.md, "Checking a proof", step by step with hashes and Ed25519 only."""
    keys = {name: PublicKey.parse(text) for name, text in published["keys"].items()}
    proof = published["proof"]
    entry = base64.b64decode(proof["entry"])
    whole = json.loads(entry)
    event = entry[len(b'{"event":') : entry.index(b',"signature":{')]
    role_signature = base64.b64decode(whole["signature"]["signature"])
    keys["portal"].check_signature(role_signature, b"escrow-event/1\0" + event)
    checksum = _sha256(_sha256(entry))
    leaf_signature = base64.b64decode(proof["leaf"]["signature"])
    keys["leaf"].check_signature(leaf_signature, b"sigsum.org/v1/tree-leaf\0" + checksum)
    current = _sha256(b"\0" + checksum + leaf_signature + _sha256(keys["leaf"].raw))
    # Leaf 2 of 5: a right sibling, a left sibling, then the lone fifth leaf on the right.
    right, left, fifth = (base64.b64decode(one) for one in proof["path"])
    current = _sha256(b"\1" + current + right)
    current = _sha256(b"\1" + left + current)
    current = _sha256(b"\1" + current + fifth)
    body, lines = proof["checkpoint"].split("\n\n")
    origin = "sigsum.org/v1/tree/" + _sha256(keys["log"].raw).hex()
    assert body.split("\n") == [origin, "5", base64.b64encode(current).decode()]
    name, blob = lines.removeprefix("— ").split()
    assert name == origin
    keys["log"].check_signature(base64.b64decode(blob)[4:], (body + "\n").encode())


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
