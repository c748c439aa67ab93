"""What the check tells a person about a true paper."""

import json
from dataclasses import replace

import pytest

from escrow.evidence.bundles import BUNDLE_MEDIA_TYPE, SignedDocument
from escrow.evidence.checking import check_document
from escrow.evidence.errors import DocumentMalformed
from escrow.evidence.statements import RECEIPT_TYPE, REPORT_TYPE, Stamp, statement
from escrow.testing.ledgers import LedgerWorld


def _statement(kind: str, environment: str = "production") -> bytes:
    predicate = {
        "service": Stamp("Trial Escrow", environment, "0.1").to_json(),
        "product": {"name": "acme/ledger"},
        "deposit": {"id": "dep_1", "number": 3, "sealedAt": "2026-01-02T03:04:05.000Z"},
        "verdict": "pass",
    }
    return statement([("source/app", "ab" * 32)], kind, predicate)


def test_a_receipt_tells_its_facts(world: LedgerWorld) -> None:
    world.grow(2)
    document = world.issue(_statement(RECEIPT_TYPE))
    checked = check_document(document.to_json(), world.trust_root)
    facts = checked.facts()
    assert checked.is_production
    assert (facts["kind"], facts["warning"]) == ("deposit receipt", None)
    assert (facts["product"], facts["number"]) == ("acme/ledger", 3)
    assert facts["subjects"] == ["source/app sha256:" + "ab" * 32]
    assert (facts["ledger_leaf"], facts["ledger_size"]) == (2, 3)
    assert facts["trust_root"] == world.trust_root.fingerprint()
    assert json.dumps(facts)


def test_a_report_is_the_workers(world: LedgerWorld) -> None:
    document = world.issue(_statement(REPORT_TYPE), "worker")
    facts = check_document(document.to_json(), world.trust_root).facts()
    assert (facts["kind"], facts["verdict"]) == ("verification report", "pass")
    assert str(facts["signed_by"]).startswith("worker key ")


def test_a_paper_of_a_demo_says_so(world: LedgerWorld) -> None:
    world.trust_root = replace(world.trust_root, environment="demo")
    document = world.issue(_statement(RECEIPT_TYPE, "demo"))
    checked = check_document(document.to_json(), world.trust_root)
    assert not checked.is_production
    assert "demo environment" in str(checked.facts()["warning"])


def test_the_document_is_a_sigstore_bundle_inside(world: LedgerWorld) -> None:
    document = world.issue(_statement(RECEIPT_TYPE))
    bundle = json.loads(document.to_json())["bundle"]
    assert bundle["mediaType"] == BUNDLE_MEDIA_TYPE
    hint = world.key("portal").public.key_id
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}}
    assert set(bundle["dsseEnvelope"]) == {"payload", "payloadType", "signatures"}
    # Stock cosign passes over a signature with a keyid that is not in its own notation.
    assert [one["keyid"] for one in bundle["dsseEnvelope"]["signatures"]] == [""]
    assert SignedDocument.from_json(document.to_json()) == document


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"format":"escrow-signed-document/1"}', "[" * 100_000],
)
def test_other_texts_are_no_document(world: LedgerWorld, text: str) -> None:
    with pytest.raises(DocumentMalformed):
        check_document(text, world.trust_root)


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", "escrow-signed-document/2"), ("bundle", {}), ("ledger", {}), ("ledger", 0)],
)
def test_another_shape_is_no_document(world: LedgerWorld, field: str, value: object) -> None:
    document = json.loads(world.issue(_statement(RECEIPT_TYPE)).to_json())
    with pytest.raises(DocumentMalformed):
        check_document(json.dumps({**document, field: value}), world.trust_root)


def test_a_bundle_has_one_signature(world: LedgerWorld) -> None:
    document = json.loads(world.issue(_statement(RECEIPT_TYPE)).to_json())
    document["bundle"]["dsseEnvelope"]["signatures"] *= 2
    with pytest.raises(DocumentMalformed):
        check_document(json.dumps(document), world.trust_root)


def test_a_bundle_names_its_key(world: LedgerWorld) -> None:
    document = json.loads(world.issue(_statement(RECEIPT_TYPE)).to_json())
    document["bundle"]["verificationMaterial"]["publicKey"]["hint"] = 5
    with pytest.raises(DocumentMalformed):
        check_document(json.dumps(document), world.trust_root)
