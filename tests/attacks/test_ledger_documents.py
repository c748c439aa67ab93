"""Somebody hands over a paper that is almost true; each lie meets its own question."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence import dsse
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.checking import check_document
from escrow.evidence.errors import (
    DocumentNotLogged,
    EntryNamesOtherStatement,
    EnvelopeSignatureWrong,
    SignerInOtherRole,
    SignerUnknown,
    StatementKindUnknown,
    StatementMalformed,
    WrongEnvironment,
)
from escrow.evidence.statements import (
    PAYLOAD_TYPE,
    RECEIPT_TYPE,
    REPORT_TYPE,
    Stamp,
    statement,
)
from escrow.ground.errors import Tampered
from escrow.ledger.entries import parse_entry, sign_entry
from escrow.ledger.errors import (
    CheckpointMalformed,
    CheckpointOfOtherLog,
    CheckpointSignatureWrong,
    EntryMalformed,
    InclusionWrong,
    LeafKeyUnknown,
    LeafSignatureWrong,
    RoleSignatureWrong,
    RoleUnknown,
)
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.verifying import LedgerProof
from escrow.testing.ledgers import LedgerWorld, named_key

STAMP = Stamp("Trial Escrow", "production", "0.1").to_json()


def _statement(kind: str = RECEIPT_TYPE, number: int = 1, **more: object) -> bytes:
    predicate = {"v": 1, "service": STAMP, "deposit": {"id": "dep_1", "number": number}, **more}
    return statement([("source/app", "ab" * 32)], kind, predicate)


@pytest.fixture
def world(tmp_path: Path):
    made = LedgerWorld(tmp_path)
    made.grow(5)
    yield made
    made.close()


@pytest.fixture
def receipt(world: LedgerWorld) -> SignedDocument:
    return world.issue(_statement())


def _refused(world: LedgerWorld, document: SignedDocument, error: type[Exception]) -> None:
    with pytest.raises(error) as found:
        check_document(document.to_json(), world.trust_root)
    assert type(found.value) is error


def _proof(document: SignedDocument) -> LedgerProof:
    assert document.ledger is not None
    return document.ledger


def test_the_true_paper_holds(world: LedgerWorld, receipt: SignedDocument) -> None:
    checked = check_document(receipt.to_json(), world.trust_root)
    assert checked.statement.sha256 == receipt.statement_sha256


def test_a_changed_statement(world: LedgerWorld, receipt: SignedDocument) -> None:
    envelope = replace(receipt.envelope, payload=_statement(number=2))
    _refused(world, replace(receipt, envelope=envelope), EnvelopeSignatureWrong)


def test_a_signature_of_another_document(world: LedgerWorld, receipt: SignedDocument) -> None:
    other = world.issue(_statement(number=2))
    envelope = replace(receipt.envelope, signatures=other.envelope.signatures)
    _refused(world, replace(receipt, envelope=envelope), EnvelopeSignatureWrong)


def test_another_payload_type(world: LedgerWorld, receipt: SignedDocument) -> None:
    envelope = replace(receipt.envelope, payload_type="text/plain")
    _refused(world, replace(receipt, envelope=envelope), EnvelopeSignatureWrong)
    signed = dsse.sign("text/plain", receipt.envelope.payload, world.key("portal"))
    _refused(world, replace(receipt, envelope=signed), StatementMalformed)


def test_an_unknown_key(world: LedgerWorld, receipt: SignedDocument) -> None:
    envelope = dsse.sign(PAYLOAD_TYPE, receipt.envelope.payload, named_key("thief"))
    _refused(world, replace(receipt, envelope=envelope), SignerUnknown)


def test_an_unknown_key_under_a_known_name(world: LedgerWorld, receipt: SignedDocument) -> None:
    forged = dsse.sign(PAYLOAD_TYPE, _statement(number=2), named_key("thief"))
    named = ((world.key("portal").public.key_id, forged.signatures[0][1]),)
    _refused(
        world,
        replace(receipt, envelope=replace(forged, signatures=named)),
        EnvelopeSignatureWrong,
    )


@pytest.mark.parametrize("role", ["worker", "keyholder", "operator"])
def test_a_receipt_signed_by_another_role(world: LedgerWorld, role: str) -> None:
    _refused(world, world.issue(_statement(), role), SignerInOtherRole)  # type: ignore[arg-type]


def test_the_log_key_signs_no_paper(world: LedgerWorld, receipt: SignedDocument) -> None:
    envelope = dsse.sign(PAYLOAD_TYPE, receipt.envelope.payload, world.key("log"))
    _refused(world, replace(receipt, envelope=envelope), SignerUnknown)


def test_a_report_that_another_role_logged(world: LedgerWorld) -> None:
    report = world.issue(_statement(REPORT_TYPE), "portal")
    envelope = dsse.sign(PAYLOAD_TYPE, report.envelope.payload, world.key("worker"))
    _refused(world, replace(report, envelope=envelope), SignerInOtherRole)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"_type":"x"}', b"\xff"])
def test_signed_bytes_that_are_no_statement(world: LedgerWorld, payload: bytes) -> None:
    _refused(world, world.issue(payload), StatementMalformed)


def test_a_statement_of_an_unknown_kind(world: LedgerWorld) -> None:
    later = world.issue(_statement("urn:escrow:deposit-receipt:v9"))
    _refused(world, later, StatementKindUnknown)


def test_a_paper_without_its_proof(world: LedgerWorld, receipt: SignedDocument) -> None:
    _refused(world, replace(receipt, ledger=None), DocumentNotLogged)


def test_the_proof_of_another_document(world: LedgerWorld, receipt: SignedDocument) -> None:
    other = world.issue(_statement(number=2))
    _refused(world, receipt.with_proof(_proof(other)), EntryNamesOtherStatement)


def test_the_proof_of_an_event_about_no_document(
    world: LedgerWorld, receipt: SignedDocument
) -> None:
    entry = world.append()
    world.sequence()
    _refused(world, receipt.with_proof(world.proof(entry.entry_sha256)), EntryNamesOtherStatement)


def test_the_paper_of_another_environment(world: LedgerWorld) -> None:
    service = {**STAMP, "environment": "demo"}
    document = world.issue(_statement(service=service))
    _refused(world, document, WrongEnvironment)
    _refused(world, world.issue(_statement(service=None)), WrongEnvironment)


def _other_role(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    event = replace(parse_entry(proof.entry).event, role="worker")
    return replace(proof, entry=sign_entry(event, named_key("thief")))


def _other_actor(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    whole = json.loads(proof.entry)
    entry = proof.entry.replace(whole["event"]["actor"].encode(), b"tok_2")
    return replace(proof, entry=entry)


def _signed_anew(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    """The portal's stolen key logs a paper after the fact, without the keyholder."""
    event = replace(parse_entry(proof.entry).event, nonce="0" * 64)
    return replace(proof, entry=sign_entry(event, world.key("portal")))


def _leaf_of_thief(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    leaf = sign_leaf(proof.entry, named_key("thief"))
    return replace(proof, leaf_signature=leaf.signature, leaf_key_hash=leaf.key_hash)


def _leaf_signed_anew(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    """The portal's and the leaf key are stolen; the log never saw that leaf."""
    forged = _signed_anew(world, proof)
    return replace(forged, leaf_signature=sign_leaf(forged.entry, world.key("leaf")).signature)


def _other_log(world: LedgerWorld, proof: LedgerProof) -> LedgerProof:
    (world.folder / "other").mkdir()
    other = LedgerWorld(world.folder / "other", name="other")
    note = other.grow(6).note
    other.close()
    return replace(proof, checkpoint=note)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda _, proof: replace(proof, entry=proof.entry + b" "), EntryMalformed),
        (_other_role, RoleUnknown),
        (_other_actor, RoleSignatureWrong),
        (_leaf_of_thief, LeafKeyUnknown),
        (lambda _, proof: replace(proof, leaf_key_hash=b""), LeafKeyUnknown),
        (lambda _, proof: replace(proof, leaf_signature=bytes(64)), LeafSignatureWrong),
        (_signed_anew, LeafSignatureWrong),
        (_leaf_signed_anew, InclusionWrong),
        (lambda _, proof: replace(proof, leaf_index=proof.leaf_index - 1), InclusionWrong),
        (lambda _, proof: replace(proof, leaf_index=2**70), InclusionWrong),
        (lambda _, proof: replace(proof, path=proof.path[:-1]), InclusionWrong),
        (lambda _, proof: replace(proof, path=(*proof.path, bytes(32))), InclusionWrong),
        (lambda _, proof: replace(proof, path=(bytes(32), *proof.path[1:])), InclusionWrong),
        (lambda _, proof: replace(proof, checkpoint="x"), CheckpointMalformed),
        (_other_log, CheckpointOfOtherLog),
        (
            lambda _, proof: replace(proof, checkpoint=proof.checkpoint.replace("\n6\n", "\n7\n")),
            CheckpointSignatureWrong,
        ),
    ],
)
def test_a_changed_proof(
    world: LedgerWorld,
    receipt: SignedDocument,
    change: Callable[[LedgerWorld, LedgerProof], LedgerProof],
    error: type[Exception],
) -> None:
    changed = change(world, _proof(receipt))
    assert changed != receipt.ledger
    _refused(world, receipt.with_proof(changed), error)


def test_no_changed_bit_of_what_is_proven_passes(
    world: LedgerWorld, receipt: SignedDocument
) -> None:
    """Every byte of payload, signatures, entry and path is covered by a question."""
    value = json.loads(receipt.to_json())
    envelope, ledger = value["bundle"]["dsseEnvelope"], value["ledger"]
    places = [
        (envelope, "payload"),
        (envelope["signatures"][0], "sig"),
        (ledger, "entry"),
        (ledger["leaf"], "signature"),
        *[(ledger["path"], at) for at in range(len(ledger["path"]))],
    ]
    for holder, name in places:
        kept = holder[name]
        raw = base64.b64decode(kept)
        for at in range(0, len(raw), 7):
            flipped = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            holder[name] = base64.b64encode(flipped).decode()
            with pytest.raises(Tampered):
                check_document(json.dumps(value), world.trust_root)
        holder[name] = kept
    check_document(json.dumps(value), world.trust_root)
