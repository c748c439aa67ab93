"""Dead Simple Signing Envelopes (DSSE v1.0): what is signed is the bytes, never a re-reading.

Guarantees: :func:`verify_envelope` returns the very bytes that were signed, under a type that says
so. It does not look into them, and does not decide which key may sign what: its caller does.
Source: github.com/secure-systems-lab/dsse, protocol.md and envelope.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from escrow.evidence.errors import EnvelopeMalformed, EnvelopeSignatureWrong, SignerUnknown
from escrow.ground.signatures import BadSignature, PublicKey, Signer

# Statements list parts and findings by digest; far more than the largest, and no memory trap.
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024

# We write one; agents and parties may countersign. A bound on work for a hostile envelope.
MAX_SIGNATURES = 64


@dataclass(frozen=True)
class Envelope:
    """A payload, its type, and signatures that nobody has checked yet.

    Args:
        payload_type: media type of the payload.
        payload: the bytes that were signed (through PAE).
        signatures: pairs of key id (may be empty) and signature bytes.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON object of the envelope (DSSE envelope.md)."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": key_id, "sig": base64.b64encode(signature).decode()}
                for key_id, signature in self.signatures
            ],
        }

    @classmethod
    def from_json(cls, unverified: object) -> Envelope:
        """Return the envelope that a parsed JSON value is.

        Args:
            unverified: what ``json.loads`` gave.

        Raises:
            EnvelopeMalformed: other shape, not base64, or larger than the limits.
        """
        try:
            value = cast("dict[str, object]", unverified)
            payload_type = value["payloadType"]
            if not isinstance(payload_type, str):
                raise TypeError
            payload = _decode(value["payload"])
            listed = cast("list[dict[str, object]]", value["signatures"])
            signatures = tuple((str(one.get("keyid", "")), _decode(one["sig"])) for one in listed)
        except (KeyError, TypeError, AttributeError, ValueError):
            raise EnvelopeMalformed("This is no DSSE envelope.") from None
        if not 1 <= len(signatures) <= MAX_SIGNATURES or len(payload) > MAX_PAYLOAD_BYTES:
            raise EnvelopeMalformed(
                f"The envelope has {len(signatures)} signatures over {len(payload)} bytes, "
                "which is outside the limits."
            )
        return cls(payload_type, payload, signatures)


@dataclass(frozen=True)
class VerifiedPayload:
    """A payload that at least one key of the caller signed.

    Args:
        payload_type: as signed.
        payload: the signed bytes.
        key_ids: ids of the caller's keys that signed, in the order of the envelope.
    """

    payload_type: str
    payload: bytes
    key_ids: tuple[str, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: the bytes that are really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, signer: Signer) -> Envelope:
    """Return an envelope with one signature."""
    signature = signer.sign(pae(payload_type, payload))
    return Envelope(payload_type, payload, ((signer.public.key_id, signature),))


def verify_envelope(envelope: Envelope, keys: Mapping[str, PublicKey]) -> VerifiedPayload:
    """Return the payload when a known key signed it and no known key's signature fails.

    Signatures of unknown keys are passed over, as DSSE asks. A signature under a *known* key id
    that does not hold refuses the whole envelope: nobody honest makes one.

    Args:
        envelope: to be checked.
        keys: key id to key, of those whose signature the caller accepts.

    Raises:
        SignerUnknown: no signature claims one of these keys.
        EnvelopeSignatureWrong: a signature that claims one does not hold.
    """
    signed_bytes = pae(envelope.payload_type, envelope.payload)
    key_ids = []
    for key_id, signature in envelope.signatures:
        key = keys.get(key_id)
        if key is None:
            continue
        try:
            key.check_signature(signature, signed_bytes)
        except BadSignature:
            raise EnvelopeSignatureWrong(
                f"The signature by key {key_id[:16]} does not hold over the document."
            ) from None
        key_ids.append(key_id)
    if not key_ids:
        raise SignerUnknown("No key that is trusted for this signed the document.")
    return VerifiedPayload(envelope.payload_type, envelope.payload, tuple(key_ids))


def _decode(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError from None
