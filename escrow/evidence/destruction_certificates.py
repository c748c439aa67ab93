"""The certificate of a destruction: which keys are gone, on whose words, and what is left.

It says what it cannot reach: ciphertext without a key, which a store's lock may keep, copies in
backups until the backup horizon, and copies of the key that others hold. It says nothing on whether
the agreement had really ended, which people decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.evidence.statements import DESTRUCTION_TYPE, Stamp, statement
from escrow.ground.clock import rfc3339

CERTIFICATE_VERSION = 1


@dataclass(frozen=True)
class DestroyedKey:
    """A key of the key manager that is gone.

    Args:
        manager: which key manager it was, by its own account.
        versions: number of each version that was destroyed, and when it was made (RFC 3339; None
            where the manager keeps no dates), as it said when the destruction was intended.
        receipt: the manager's own words when it is asked for the key afterwards.
    """

    key_id: str
    destroyed_at: datetime
    manager: str
    versions: Sequence[tuple[int, str | None]]
    receipt: str


@dataclass(frozen=True)
class DestructionFacts:
    """One destruction, as its proven events and the key manager have it.

    Args:
        ending_id: of the destruction; ``request_act_sha256`` is it as it was signed.
        served: by beneficiary, the digest of the act that proves service.
        confirmations: digest of each agent's act.
        header_records: how many were deleted.
        payloads: digests of the sealed payloads that nobody can open any more.
        still_served: of the payloads, those that another agreement still opens.
        backup_horizon_days: how long backups are kept that may hold keys or header records.
    """

    agreement_id: str
    version: int
    text_sha256: str
    ending_id: str
    request_act_sha256: str
    served: Sequence[tuple[str, str]]
    grace_ended_at: datetime
    k: int
    n: int
    confirmations: Sequence[str]
    keys: Sequence[DestroyedKey]
    header_records: int
    payloads: Sequence[str]
    still_served: Sequence[str]
    intended_at: datetime
    destroyed_at: datetime
    backup_horizon_days: int


def destruction_statement(stamp: Stamp, facts: DestructionFacts) -> bytes:
    """Return the bytes of a certificate, ready to be logged (by digest) and signed."""
    subjects = [("destruction-request", facts.request_act_sha256)]
    subjects += [(f"payload/{one[:16]}", one) for one in sorted(facts.payloads)]
    return statement(subjects, DESTRUCTION_TYPE, _predicate(stamp, facts))


def _predicate(stamp: Stamp, facts: DestructionFacts) -> dict[str, object]:
    until = facts.destroyed_at + timedelta(days=facts.backup_horizon_days)
    return {
        "v": CERTIFICATE_VERSION,
        "service": stamp.to_json(),
        "agreement": {
            "id": facts.agreement_id,
            "version": facts.version,
            "textSha256": facts.text_sha256,
        },
        "destruction": {"id": facts.ending_id, "actSha256": facts.request_act_sha256},
        "served": [{"beneficiary": who, "actSha256": act} for who, act in facts.served],
        "graceEndedAt": rfc3339(facts.grace_ended_at),
        "confirmations": {"k": facts.k, "n": facts.n, "acts": list(facts.confirmations)},
        "keys": [
            {
                "id": one.key_id,
                "manager": one.manager,
                "versions": [{"version": at, "madeAt": made} for at, made in one.versions],
                "destroyedAt": rfc3339(one.destroyed_at),
                "receipt": one.receipt,
            }
            for one in facts.keys
        ],
        "headerRecordsDeleted": facts.header_records,
        # Ciphertext without a key; how long a store's lock keeps it, the service tells.
        "unreadablePayloads": sorted(facts.payloads),
        "stillServedPayloads": sorted(facts.still_served),
        "backupHorizon": {"days": facts.backup_horizon_days, "until": rfc3339(until)},
        "notReached": [
            "ciphertext that a store keeps under a lock: nobody has a key to it",
            "backups of the key manager and the database, until the backup horizon",
            "copies of the key that holders outside the operator keep, until they destroy them",
        ],
        "intendedAt": rfc3339(facts.intended_at),
        "destroyedAt": rfc3339(facts.destroyed_at),
    }
