"""The published vectors of statements, acts and the trust root."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escrow.evidence import dsse
from escrow.evidence.acts import ACT_TYPE, parse_act
from escrow.evidence.bundles import SignedDocument, sign_statement, sign_together
from escrow.evidence.checking import check_document
from escrow.evidence.dsse import Envelope, pae
from escrow.evidence.receipts import AgreementFacts, DepositFacts, GitFacts, PartFacts
from escrow.evidence.receipts import receipt_statement as receipt
from escrow.evidence.snapshots import Agents, TrustSnapshot, Vouched, vouch_subject
from escrow.evidence.statements import PAYLOAD_TYPE, REPORT_TYPE, SUMMARY_TYPE, Stamp, statement
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.entries import sign_entry
from escrow.ledger.events import Event, Stream
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.verifying import LedgerProof
from escrow.testing.ledgers import named_key
from escrow.verification.missing.rules import Owed, missing_statement

FILE = Path(__file__).resolve().parents[3] / "docs/protocol/vectors/statements-1.json"
FILE_2 = FILE.with_name("statements-2.json")
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


def _vouch(agent: str) -> Envelope:
    value = {
        "v": 1,
        "act": "vouch-trust-root",
        "subject": vouch_subject("agr_01", _trust_root().sha256()),
        "key": str(named_key(f"vector/{agent}").public),
        "nonce": "0" * 64,
        "at": "2026-01-02T03:04:05.000Z",
    }
    return dsse.sign(ACT_TYPE, canonical_json(value), named_key(f"vector/{agent}"))


def _vectors_2() -> dict[str, object]:
    """A report with a summary beside it, its keys vouched for; a notice of a missing deposit."""
    stamp = Stamp("Trial Escrow", "demo", "1.0")
    subject = [("dep_01", "ee" * 32)]
    report = statement(subject, REPORT_TYPE, {"v": 1, "service": stamp.to_json()})
    summary = {
        "verifier": {"id": f"urn:escrow:demo:worker:{named_key('vector/worker').public.key_id}"},
        "timeVerified": "2026-01-02T03:04:05.000Z",
        "resourceUri": "urn:escrow:deposit:dep_01",
        "policy": {"uri": "urn:escrow:agreement:agr_01:1:level:build"},
        "inputAttestations": [{"uri": REPORT_TYPE, "digest": {"sha256": sha256_hex(report)}}],
        "verificationResult": "PASSED",
        "verifiedLevels": ["ESCROW_BUILD"],
    }
    beside = [statement(subject, SUMMARY_TYPE, summary)]
    owed = Owed("agr_01", 1, "prd_01", "build", AT, 3, timedelta(days=90), timedelta(days=14))
    snapshot = TrustSnapshot(
        _trust_root(), (Vouched("agr_01", (_vouch("agent-1"), _vouch("agent-2"))),)
    )
    signed = sign_together(report, beside, named_key("vector/worker"))
    return {
        "agents": [str(named_key(f"vector/agent-{at}").public) for at in (1, 2, 3)],
        "k": 2,
        "document": json.loads(_logged(signed).with_snapshot(snapshot).to_json()),
        "missing_deposit": missing_statement(stamp, owed, owed.missed(LATE)[0], "dd" * 32).decode(),
    }


LATE = AT + timedelta(days=105)


def _logged(signed: SignedDocument) -> SignedDocument:
    event = Event(
        stream=Stream("agreement", "agr_01"),
        sequence=0,
        previous=None,
        type="verification:report:signed",
        role="worker",
        actor="worker",
        at=AT,
        nonce="0" * 64,
        data={
            "statement_sha256": signed.statement_sha256,
            "beside_sha256": signed.beside_sha256,
        },
    )
    entry = sign_entry(event, named_key("vector/worker"))
    leaf = sign_leaf(entry, named_key("vector/leaf"))
    note = sign_checkpoint(1, leaf.hash, named_key("vector/log")).note
    return signed.with_proof(LedgerProof(entry, 0, leaf.key_hash, leaf.signature, (), note))


def test_version_2_is_what_this_code_makes_and_takes() -> None:
    published = json.loads(FILE_2.read_text(encoding="utf-8"))
    assert published == _vectors_2()
    agents = Agents(tuple(PublicKey.parse(one) for one in published["agents"]), published["k"])
    checked = check_document(json.dumps(published["document"]), None, [agents])
    assert [one.kind.name for one in checked.beside] == ["summary"]
