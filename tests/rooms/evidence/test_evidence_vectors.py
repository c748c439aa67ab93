"""The published vectors of statements, acts and the trust root."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escrow.evidence import dsse
from escrow.evidence.acts import ACT_TYPE, parse_act
from escrow.evidence.bundles import SignedDocument, sign_statement
from escrow.evidence.checking import check_document
from escrow.evidence.dsse import Envelope, pae
from escrow.evidence.receipts import AgreementFacts, DepositFacts, GitFacts, PartFacts
from escrow.evidence.receipts import receipt_statement as receipt
from escrow.evidence.statements import PAYLOAD_TYPE, Stamp
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.digests import canonical_json
from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.entries import sign_entry
from escrow.ledger.events import Event, Stream
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.verifying import LedgerProof
from escrow.testing.ledgers import named_key

FILE = Path(__file__).resolve().parents[3] / "docs/protocol/vectors/statements-1.json"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _receipt() -> bytes:
    git = GitFacts({"refs/heads/main": "1" * 40}, "1" * 40, "ef" * 32, "app")
    part = PartFacts(
        id="prt_01",
        name="app",
        kind="source",
        media="git-bundle",
        size_bytes=1000,
        sha256="ab" * 32,
        encoding="zstd",
        payload_sha256="cd" * 32,
        payload_size_bytes=400,
        as_of=AT,
        git=git,
    )
    deposit = DepositFacts(
        product="acme/ledger",
        product_id="prd_01",
        deposit_id="dep_01",
        number=3,
        via="git",
        received_at=AT,
        sealed_at=AT,
        parts=(part,),
        agreements=(AgreementFacts("agr_01", 1, "aa" * 32, 3, 5, "sealed"),),
    )
    return receipt(Stamp("Trial Escrow", "demo", "1.0"), deposit, "5a" * 16)


def _trust_root() -> TrustRoot:
    return TrustRoot(
        service="Trial Escrow",
        environment="demo",
        log=named_key("vector/log").public,
        leaf=named_key("vector/leaf").public,
        roles={one: named_key(f"vector/{one}").public for one in ("portal", "worker")},
    )


def _document() -> SignedDocument:
    """Return the receipt under a ledger in which its event stands alone."""
    unproven = sign_statement(_receipt(), named_key("vector/portal"))
    event = Event(
        stream=Stream("product", "prd_01"),
        sequence=0,
        previous=None,
        type="deposits:receipt:issued",
        role="portal",
        actor="tok_01",
        at=AT,
        nonce="0" * 64,
        data={"statement_sha256": unproven.statement_sha256},
    )
    entry = sign_entry(event, named_key("vector/portal"))
    leaf = sign_leaf(entry, named_key("vector/leaf"))
    note = sign_checkpoint(1, leaf.hash, named_key("vector/log")).note
    return unproven.with_proof(LedgerProof(entry, 0, leaf.key_hash, leaf.signature, (), note))


def _act() -> bytes:
    value = {
        "v": 1,
        "act": "accept-agreement",
        "subject": {"agreement_id": "agr_01", "text_sha256": "aa" * 32},
        "key": str(named_key("vector/person").public),
        "nonce": "0" * 64,
        "at": "2026-01-02T03:04:05.000Z",
    }
    return canonical_json(value)


def _vectors() -> dict[str, object]:
    root = _trust_root()
    return {
        "statement": _receipt().decode(),
        "pae": pae(PAYLOAD_TYPE, _receipt()).decode(),
        "trust_root": json.loads(root.to_json()),
        "fingerprint": root.fingerprint(),
        "document": json.loads(_document().to_json()),
        "act": dsse.sign(ACT_TYPE, _act(), named_key("vector/person")).to_json(),
    }


@pytest.fixture(scope="module")
def published() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_the_published_vectors_are_what_this_code_makes(published: dict) -> None:
    assert published == _vectors()


def test_the_published_document_holds(published: dict) -> None:
    root = TrustRoot.from_json(json.dumps(published["trust_root"]))
    checked = check_document(json.dumps(published["document"]), root)
    assert root.fingerprint() == published["fingerprint"]
    assert checked.facts()["deposit"] == "dep_01"


def test_the_published_act_holds(published: dict) -> None:
    envelope = Envelope.from_json(published["act"])
    act = parse_act(envelope.payload)
    act.key.check_signature(envelope.signatures[0][1], pae(ACT_TYPE, envelope.payload))
    assert act.subject["agreement_id"] == "agr_01"


def test_a_stranger_checks_by_the_document_alone(published: dict) -> None:
    """statements.md, "Checking a document", the part that is not the ledger's."""
    envelope = published["document"]["bundle"]["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key = PublicKey.parse(published["trust_root"]["keys"]["roles"]["portal"])
    key.check_signature(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    entry = json.loads(base64.b64decode(published["document"]["ledger"]["entry"]))
    named = entry["event"]["data"]["statement_sha256"]
    assert named == hashlib.sha256(payload).hexdigest()
    digest = hashlib.sha256(canonical_json(published["trust_root"])).hexdigest()
    assert published["fingerprint"].replace(" ", "") == digest
