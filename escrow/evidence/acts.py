"""Acts of parties: what a person does by signing with the key that the agreement pins for him.

Guarantees: a verified act was signed by exactly the expected key, names that key inside what was
signed, and says which act on which subject at which time. It does not know who the person is or
whether he may: register and releases decide that. Each act carries a nonce, so no two are equal;
whoever takes acts refuses one that he has taken before (by ``Act.sha256``).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from escrow.evidence import dsse
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import ActByOtherKey, ActMalformed, SignerUnknown
from escrow.ground.clock import parse_rfc3339, rfc3339
from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex
from escrow.ground.signatures import BadPublicKey, PublicKey, Signer

ACT_TYPE = "application/vnd.escrow.act+json"

ActName = Literal[
    "accept-agreement",
    "prove-recipient",
    "open-canary",
    "file-release-request",
    "acknowledge-service",
    "state-service",
    "consent-to-release",
    "file-contrary-instructions",
    "withdraw-release-request",
    "confirm-release",
    "vouch-trust-root",
    "answer-custody",
    "place-hold",
    "lift-hold",
    "withdraw-deposit",
    "cancel-deposit-withdrawal",
    "request-destruction",
    "acknowledge-destruction",
    "state-destruction-service",
    "object-to-destruction",
    "cancel-destruction",
    "confirm-destruction",
    "change-recipient",
    "prove-changed-recipient",
    "withdraw-recipient-change",
]
ACT_NAMES: frozenset[str] = frozenset(get_args(ActName))

ACT_VERSION = 1
NONCE_BYTES = 32

# An act names ids and digests; more is no act but an attempt.
MAX_ACT_BYTES = 64 * 1024

_KEYS = {"v", "act", "subject", "key", "nonce", "at"}
_NONCE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Act:
    """What a person did, verified.

    Args:
        name: which act.
        subject: what it is about (agreement id, version hash, …), as signed.
        key: the person's key, as named inside the signed bytes.
        at: when, by the person's own clock.
        nonce: 64 hex digits.
        sha256: digest of the signed payload; names the act in events.
    """

    name: ActName
    subject: Mapping[str, object]
    key: PublicKey
    at: datetime
    nonce: str
    sha256: Sha256Hex


def build_act(name: str, subject: Mapping[str, object], key: PublicKey, at: datetime) -> bytes:
    """Return the payload of an act, ready to be shown to the person and signed.

    Args:
        name: which act.
        subject: JSON object of ids and digests that fix what the act is about.
        key: the key that will sign.
        at: the person's present time.

    Raises:
        ActMalformed: no such act.
    """
    if name not in ACT_NAMES:
        raise ActMalformed(f"{name[:40]!r} is no act.")
    return canonical_json(
        {
            "v": ACT_VERSION,
            "act": name,
            "subject": dict(subject),
            "key": str(key),
            "nonce": secrets.token_hex(NONCE_BYTES),
            "at": rfc3339(at),
        }
    )


def sign_act(payload: bytes, signer: Signer) -> Envelope:
    """Return the act signed by the person's key.

    Raises:
        ActMalformed: the payload names another key than the signer's; nobody could verify it.
    """
    if parse_act(payload).key != signer.public:
        raise ActMalformed("The act names another key than the one that is to sign it.")
    return dsse.sign(ACT_TYPE, payload, signer)


def verify_act(envelope: Envelope, expected_key: PublicKey) -> Act:
    """Return the act when exactly the expected key signed it.

    1. The payload type says that it is an act. 2. The signature holds under the expected key.
    3. The payload is an act in canonical form. 4. It names the key that signed it.

    The caller still must check: that the act's name and subject are what he asked for, that the
    time is plausible, and that he has not taken this act before.

    Raises:
        ActMalformed: question 1 or 3 is answered no.
        ActByOtherKey: signed by, or naming, another key.
        EnvelopeSignatureWrong: the signature of the expected key does not hold.
    """
    # 1. payload type
    if envelope.payload_type != ACT_TYPE:
        raise ActMalformed(f"The envelope's type is {envelope.payload_type[:60]!r}, no act.")
    # 2. signature
    try:
        verified = dsse.verify_envelope(envelope, {expected_key.key_id: expected_key})
    except SignerUnknown:
        raise ActByOtherKey(
            f"The act is not signed with the expected key {expected_key.key_id[:16]}."
        ) from None
    # 3. form
    act = parse_act(verified.payload)
    # 4. key
    if act.key != expected_key:
        raise ActByOtherKey("The act names another key than the one that signed it.")
    return act


def parse_act(unverified_payload: bytes) -> Act:
    """Return what a payload says, without any signature: for showing before signing.

    Raises:
        ActMalformed: not the canonical form of an act of version 1.
    """
    if len(unverified_payload) > MAX_ACT_BYTES:
        raise ActMalformed(f"The act is longer than {MAX_ACT_BYTES} bytes.")
    try:
        value = json.loads(unverified_payload)
        # One form only: what a person was shown is what he signed.
        if canonical_json(value) != unverified_payload or set(value) != _KEYS:
            raise ValueError("form")
        if value["v"] != ACT_VERSION or value["act"] not in ACT_NAMES:
            raise ValueError("version or act")
        if not isinstance(value["subject"], dict) or not _NONCE.fullmatch(value["nonce"]):
            raise ValueError("subject or nonce")
        return Act(
            name=cast("ActName", value["act"]),
            subject=value["subject"],
            key=PublicKey.parse(value["key"]),
            at=parse_rfc3339(value["at"]),
            nonce=value["nonce"],
            sha256=sha256_hex(unverified_payload),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadPublicKey):
        raise ActMalformed("The envelope holds no act of version 1.") from None
