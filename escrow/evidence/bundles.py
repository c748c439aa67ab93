"""The file in which a signed statement travels: a Sigstore bundle and its proof from the ledger.

The bundle is one that stock ``cosign verify-blob-attestation --key`` takes (cut it out of the
file); the proof lies beside it, since Sigstore's own log entries are not ours.
Nothing is verified here: :mod:`escrow.evidence.checking` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from escrow.evidence import dsse
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import DocumentMalformed
from escrow.evidence.statements import PAYLOAD_TYPE
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import Signer
from escrow.ledger.verifying import LedgerProof

DOCUMENT_FORMAT = "escrow-signed-document/1"

# github.com/sigstore/protobuf-specs, bundle v0.3.
BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

# The largest payload in base64, a proof, and air.
MAX_DOCUMENT_CHARS = 2 * dsse.MAX_PAYLOAD_BYTES


@dataclass(frozen=True)
class SignedDocument:
    """A signed statement, final once it carries its ledger proof.

    Args:
        envelope: the statement and its one signature.
        ledger: proof of the event that names it; None while it waits for the ledger.
    """

    envelope: Envelope
    ledger: LedgerProof | None = None

    @property
    def statement_sha256(self) -> Sha256Hex:
        """The digest under which the ledger knows the statement."""
        return sha256_hex(self.envelope.payload)

    def with_proof(self, proof: LedgerProof) -> SignedDocument:
        """Return the document with its proof."""
        return replace(self, ledger=proof)

    def bundle(self) -> dict[str, object]:
        """Return the Sigstore bundle alone."""
        ((key_id, signature),) = self.envelope.signatures
        # cosign 3.1 passes over a signature whose keyid is not in its own notation; the hint is
        # where a bundle names its key.
        nameless = replace(self.envelope, signatures=(("", signature),))
        return {
            "mediaType": BUNDLE_MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": key_id}},
            "dsseEnvelope": nameless.to_json(),
        }

    def to_json(self) -> str:
        """Return the text of the file."""
        value = {
            "format": DOCUMENT_FORMAT,
            "bundle": self.bundle(),
            "ledger": self.ledger and self.ledger.to_json(),
        }
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SignedDocument:
        """Return the document that a file's text is; nothing of it is proven.

        Raises:
            DocumentMalformed: another format, or a part of it is none.
        """
        if len(text) > MAX_DOCUMENT_CHARS:
            raise DocumentMalformed("The file is too long for a signed document.")
        try:
            value = json.loads(text)
            bundle = value["bundle"]
            if value["format"] != DOCUMENT_FORMAT or bundle["mediaType"] != BUNDLE_MEDIA_TYPE:
                raise ValueError("format")
            ledger = value["ledger"]
            proof = None if ledger is None else LedgerProof.from_json(ledger)
            return cls(_named_envelope(bundle), proof)
        except (ValueError, KeyError, TypeError, RecursionError, InvalidInput) as problem:
            raise DocumentMalformed(
                f"This is no signed document of the form {DOCUMENT_FORMAT}."
            ) from problem


def _named_envelope(bundle: dict[str, Any]) -> Envelope:
    """Return a bundle's envelope, its one signature named by the bundle's hint."""
    envelope = Envelope.from_json(bundle["dsseEnvelope"])
    key_id = bundle["verificationMaterial"]["publicKey"]["hint"]
    if len(envelope.signatures) != 1 or not isinstance(key_id, str):
        raise ValueError("a bundle has one signature by one key")
    return replace(envelope, signatures=((key_id, envelope.signatures[0][1]),))


def sign_statement(statement_bytes: bytes, signer: Signer) -> SignedDocument:
    """Return a statement signed, without its ledger proof yet."""
    return SignedDocument(dsse.sign(PAYLOAD_TYPE, statement_bytes, signer))
