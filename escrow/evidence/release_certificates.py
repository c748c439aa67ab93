"""The certificate of a release: what was handed over, to which key, on whose confirmations.

Guarantees: the same facts give the same bytes, so a certificate can be made again after a crash.
It names deposits and payloads by ids and digests; it says nothing on whether the condition really
occurred, which people decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from escrow.evidence.receipts import NOT_VERIFIABLE
from escrow.evidence.statements import RELEASE_TYPE, Stamp, statement
from escrow.ground.clock import rfc3339

CERTIFICATE_VERSION = 1


@dataclass(frozen=True)
class ReleaseFacts:
    """One release, as its proven events have it.

    Args:
        request_act_sha256: the request as the beneficiary signed it.
        approved_by: consent or silence.
        recipient: the age key to which everything was sealed.
        confirmations: digest of each agent's act, in the order in which they came.
        offer_sha256: digest of the offer that the agents signed.
        deposits: id and number of each deposit that was handed over.
        payloads: id of a part or document → SHA-256 of its sealed payload.
        headers: the same ids → SHA-256 of the header that the keyholder wrote to the recipient.
        not_opened: ids of parts that this sealing key does not open.
        intended_at: when the keyholder wrote its intent.
        clocks: by whose time the vendor's right was judged, so that nobody takes it for more.
        reported_by: deposit id → ids of the keys of the workers whose reports the ledger holds.
        agents: how many agents were known to hold their shares, where that was too few, and which
            organisation alone could open or block; None where there is nothing to say.
        client_sealed: ids of the parts handed over that their vendor had sealed himself.
    """

    agreement_id: str
    version: int
    text_sha256: str
    request_id: str
    request_act_sha256: str
    condition: str
    bundle: tuple[str, ...]
    approved_by: str
    approved_at: datetime
    beneficiary: str
    recipient: str
    k: int
    n: int
    epoch: int
    confirmations: tuple[str, ...]
    offer_sha256: str
    deposits: tuple[tuple[str, int], ...]
    payloads: Mapping[str, str]
    headers: Mapping[str, str]
    not_opened: tuple[str, ...]
    last_verified: tuple[str, ...]
    last_before_filing: tuple[str, ...]
    intended_at: datetime
    clocks: str
    reported_by: Mapping[str, tuple[str, ...]] | None = None
    agents: Mapping[str, object] | None = None
    client_sealed: tuple[str, ...] = ()


def release_statement(stamp: Stamp, facts: ReleaseFacts) -> bytes:
    """Return the bytes of a certificate, ready to be logged (by digest) and signed."""
    subjects = [("release-request", facts.request_act_sha256), ("offer", facts.offer_sha256)]
    subjects += [(f"payload/{part}", digest) for part, digest in sorted(facts.payloads.items())]
    # Without them whoever serves the files could hand out a header of his own: the recipient's key
    # is public, and a payload can be made that opens under two file keys.
    subjects += [(f"header/{one}", digest) for one, digest in sorted(facts.headers.items())]
    return statement(subjects, RELEASE_TYPE, _predicate(stamp, facts))


def _reported(key_ids: tuple[str, ...]) -> dict[str, object]:
    return {"reportedBy": list(key_ids)} if key_ids else {}


def _predicate(stamp: Stamp, facts: ReleaseFacts) -> dict[str, object]:
    return {
        "v": CERTIFICATE_VERSION,
        "service": stamp.to_json(),
        "agreement": {
            "id": facts.agreement_id,
            "version": facts.version,
            "textSha256": facts.text_sha256,
        },
        "request": {
            "id": facts.request_id,
            "actSha256": facts.request_act_sha256,
            "condition": facts.condition,
            "bundle": list(facts.bundle),
        },
        "approval": {
            "by": facts.approved_by,
            "at": rfc3339(facts.approved_at),
            "clocks": facts.clocks,
        },
        "beneficiary": {"organisation": facts.beneficiary, "recipient": facts.recipient},
        "confirmations": {
            "k": facts.k,
            "n": facts.n,
            "epoch": facts.epoch,
            "acts": list(facts.confirmations),
            **({"agents": dict(facts.agents)} if facts.agents else {}),
        },
        "offerSha256": facts.offer_sha256,
        "deposits": [
            {"id": one, "number": number, **_reported((facts.reported_by or {}).get(one, ()))}
            for one, number in facts.deposits
        ],
        "notOpened": list(facts.not_opened),
        **_client_sealed(facts.client_sealed),
        "lastVerified": list(facts.last_verified),
        "lastBeforeFiling": list(facts.last_before_filing),
        "intendedAt": rfc3339(facts.intended_at),
    }


def _client_sealed(part_ids: tuple[str, ...]) -> dict[str, object]:
    if not part_ids:
        return {}
    return {"clientSealed": {"parts": list(part_ids), "verification": NOT_VERIFIABLE}}
