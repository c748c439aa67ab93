"""What the subject of each act must say, and the check that it does; pure.

The client builds the subject from what it shows to the person; the service compares it with what
it holds. A missing, other or additional field makes it another act.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from escrow.ground.digests import Sha256Hex, commitment
from escrow.ground.identifiers import AgreementId
from escrow.register.errors import ActForOther, ActTimeImplausible

# Enough for a clock in the wrong zone; an act from last year is no act of today.
ACT_TIME_TOLERANCE = timedelta(days=1)

_SECRET = re.compile(r"[0-9a-f]{64}")


def acceptance_subject(
    agreement_id: AgreementId, version: int, text_sha256: str
) -> dict[str, object]:
    """Return the subject of ``accept-agreement``: exactly this text, as this version."""
    return {"agreement_id": agreement_id, "version": version, "text_sha256": text_sha256}


def recipient_proof_subject(
    agreement_id: AgreementId, recipient: str, secret: bytes
) -> dict[str, object]:
    """Return the subject of ``prove-recipient``.

    Args:
        recipient: the age key that the canary was sealed to.
        secret: what the canary held.
    """
    return {"agreement_id": agreement_id, "recipient": recipient, "secret": secret.hex()}


def canary_opening_subject(
    agreement_id: AgreementId, epoch: int, contributors: list[int], secret: bytes
) -> dict[str, object]:
    """Return the subject of ``open-canary``.

    Args:
        epoch: whose canary it was.
        contributors: numbers of the shares that were combined, the opener's own among them.
        secret: what the canary held; it opens only to k shares.
    """
    return {
        "agreement_id": agreement_id,
        "epoch": epoch,
        "contributors": sorted(contributors),
        "secret": secret.hex(),
    }


def check_subject(subject: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Refuse an act that is not about exactly this.

    Raises:
        ActForOther: naming the first field that differs.
    """
    for name in (*expected, *subject):
        # Types count: True is not the version 1.
        ours, theirs = expected.get(name), subject.get(name)
        if type(ours) is not type(theirs) or ours != theirs:
            raise ActForOther(
                f"The act's {name[:40]!r} is not that of what it was sent for.",
                "Read the newest version, and sign an act about exactly that.",
            )


def check_act_time(at: datetime, now: datetime) -> None:
    """Refuse an act whose own time is implausible.

    Raises:
        ActTimeImplausible: more than a day off.
    """
    if abs(now - at) > ACT_TIME_TOLERANCE:
        raise ActTimeImplausible


def secret_text(subject: Mapping[str, object]) -> str:
    """Return the canary secret that an act reveals, as 64 hex digits; empty when it has none."""
    secret = subject.get("secret")
    return secret if isinstance(secret, str) and _SECRET.fullmatch(secret) else ""


def secret_commitment(salt: str, secret: str) -> Sha256Hex:
    """Return the salted commitment to a canary's secret, given as hex."""
    return commitment(salt, {"secret": secret})


def is_secret(salt: str, committed: str, secret: str) -> bool:
    """Return whether this is the secret that was committed to; in constant time."""
    return hmac.compare_digest(secret_commitment(salt, secret), committed)
