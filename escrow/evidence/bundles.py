"""The file in which signed statements travel: Sigstore bundles and their proof from the ledger.

A bundle is one that stock ``cosign verify-blob-attestation --key`` takes (cut it out of the
file); the proof lies beside it, since Sigstore's own log entries are not ours. One document leads;
statements that were issued by the same entry of the ledger may lie beside it, and so may the trust
root as the agents vouched for it. Nothing is verified here: :mod:`escrow.evidence.checking` does.

What has nothing of version 2 is written as version 1, so that old readers go on reading it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from escrow.evidence import dsse
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import DocumentMalformed
from escrow.evidence.snapshots import TrustSnapshot
from escrow.evidence.statements import PAYLOAD_TYPE
from escrow.ground.digests import Sha256Hex, once_each, sha256_hex
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import Signer
from escrow.ledger.verifying import LedgerProof

DOCUMENT_FORMAT = "escrow-signed-document/1"
DOCUMENT_FORMAT_2 = "escrow-signed-document/2"

# github.com/sigstore/protobuf-specs, bundle v0.3.
BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

# The largest payload in base64, a proof, and air.
MAX_DOCUMENT_CHARS = 2 * dsse.MAX_PAYLOAD_BYTES

# A report has four statements beside it; more than this nobody makes.
MAX_BESIDE = 16

# One authority is asked; a change of authorities may leave two tokens.
MAX_TIMESTAMPS = 4


@dataclass(frozen=True)
class Bundle:
    """One signed statement as it stands in a Sigstore bundle.

    Args:
        envelope: the statement and its one signature, named by key id.
        timestamps: RFC 3161 tokens over the signature's bytes, DER; nobody has checked them yet.
    """

    envelope: Envelope
    timestamps: tuple[bytes, ...] = ()

    @property
    def statement_sha256(self) -> Sha256Hex:
        """The digest under which the ledger knows the statement."""
        return sha256_hex(self.envelope.payload)

    @property
    def signature(self) -> bytes:
        """The one signature; what a timestamp is over."""
        return self.envelope.signatures[0][1]

    def to_json(self) -> dict[str, object]:
        """Return the bundle's JSON object."""
        ((key_id, signature),) = self.envelope.signatures
        # cosign 3.1 passes over a signature whose keyid is not in its own notation; the hint is
        # where a bundle names its key.
        nameless = replace(self.envelope, signatures=(("", signature),))
        material: dict[str, object] = {"publicKey": {"hint": key_id}}
        if self.timestamps:
            tokens = [
                {"signedTimestamp": base64.b64encode(one).decode()} for one in self.timestamps
            ]
            material["timestampVerificationData"] = {"rfc3161Timestamps": tokens}
        return {
            "mediaType": BUNDLE_MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": nameless.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any) -> Bundle:  # noqa: ANN401  (whatever a file holds)
        """Return the bundle that a JSON value is; nothing of it is proven.

        Raises:
            ValueError, KeyError, TypeError, EnvelopeMalformed: it is none.
        """
        if value["mediaType"] != BUNDLE_MEDIA_TYPE:
            raise ValueError("media type")
        return cls(_named_envelope(value), _timestamps(value["verificationMaterial"]))


@dataclass(frozen=True)
class SignedDocument:
    """A signed statement, final once it carries its ledger proof.

    Args:
        envelope: the statement and its one signature.
        ledger: proof of the event that names it; None while it waits for the ledger.
        timestamps: RFC 3161 tokens over its signature.
        beside: statements that the same event issued.
        snapshot: the trust root at the time, and the agents' acts that vouch for it.
    """

    envelope: Envelope
    ledger: LedgerProof | None = None
    timestamps: tuple[bytes, ...] = ()
    beside: tuple[Bundle, ...] = ()
    snapshot: TrustSnapshot | None = None

    @property
    def leading(self) -> Bundle:
        """The statement that the document is about, with its timestamps."""
        return Bundle(self.envelope, self.timestamps)

    @property
    def statement_sha256(self) -> Sha256Hex:
        """The digest under which the ledger knows the statement."""
        return self.leading.statement_sha256

    @property
    def beside_sha256(self) -> list[Sha256Hex]:
        """The digests of the statements beside it, in their order."""
        return [one.statement_sha256 for one in self.beside]

    def with_proof(self, proof: LedgerProof) -> SignedDocument:
        """Return the document with its proof."""
        return replace(self, ledger=proof)

    def with_snapshot(self, snapshot: TrustSnapshot) -> SignedDocument:
        """Return the document with the trust root that the agents vouched for."""
        return replace(self, snapshot=snapshot)

    def bundle(self) -> dict[str, object]:
        """Return the leading Sigstore bundle alone."""
        return self.leading.to_json()

    def to_json(self) -> str:
        """Return the text of the file."""
        value: dict[str, object] = {
            "format": DOCUMENT_FORMAT,
            "bundle": self.bundle(),
            "ledger": self.ledger and self.ledger.to_json(),
        }
        if self.timestamps or self.beside or self.snapshot:
            value |= {
                "format": DOCUMENT_FORMAT_2,
                "beside": [one.to_json() for one in self.beside],
                "trustRoot": self.snapshot and self.snapshot.to_json(),
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
            value = json.loads(text, object_pairs_hook=once_each)
            document = _read(value)
            # One form only. What we would not write is signed by nobody and shown to nobody: a
            # member that we do not know, a key id beside the hint, loose bits of a base64 text.
            written = document.to_json()
            if json.loads(written) != value:
                raise ValueError("another form")
            # JSON can name halves of a character, which no file can hold.
            written.encode()
            return document
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidInput) as e:
            raise DocumentMalformed(
                f"This is no signed document of the forms {DOCUMENT_FORMAT} or {DOCUMENT_FORMAT_2}."
            ) from e


def _read(value: Any) -> SignedDocument:  # noqa: ANN401  (whatever a file holds)
    proof = None if value["ledger"] is None else LedgerProof.from_json(value["ledger"])
    leading = Bundle.from_json(value["bundle"])
    if value["format"] == DOCUMENT_FORMAT:
        return SignedDocument(leading.envelope, proof)
    if value["format"] != DOCUMENT_FORMAT_2 or len(value["beside"]) > MAX_BESIDE:
        raise ValueError("format")
    kept = value["trustRoot"]
    return SignedDocument(
        leading.envelope,
        proof,
        leading.timestamps,
        tuple(Bundle.from_json(one) for one in value["beside"]),
        None if kept is None else TrustSnapshot.from_json(kept),
    )


def _named_envelope(bundle: dict[str, Any]) -> Envelope:
    """Return a bundle's envelope, its one signature named by the bundle's hint."""
    envelope = Envelope.from_json(bundle["dsseEnvelope"])
    key_id = bundle["verificationMaterial"]["publicKey"]["hint"]
    if len(envelope.signatures) != 1 or not isinstance(key_id, str):
        raise ValueError("a bundle has one signature by one key")
    return replace(envelope, signatures=((key_id, envelope.signatures[0][1]),))


def _timestamps(material: dict[str, Any]) -> tuple[bytes, ...]:
    listed = material.get("timestampVerificationData", {}).get("rfc3161Timestamps", [])
    if len(listed) > MAX_TIMESTAMPS:
        raise ValueError("too many timestamps")
    return tuple(base64.b64decode(one["signedTimestamp"], validate=True) for one in listed)


def sign_statement(statement_bytes: bytes, signer: Signer) -> SignedDocument:
    """Return a statement signed, without its ledger proof yet."""
    return SignedDocument(dsse.sign(PAYLOAD_TYPE, statement_bytes, signer))


def sign_together(leading: bytes, beside: Sequence[bytes], signer: Signer) -> SignedDocument:
    """Return a statement signed, with the statements that are issued by the same event."""
    signed = tuple(Bundle(dsse.sign(PAYLOAD_TYPE, one, signer)) for one in beside)
    return replace(sign_statement(leading, signer), beside=signed)
