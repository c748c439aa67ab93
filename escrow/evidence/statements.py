"""in-toto Statements v1: subjects by digest, a predicate, and nothing else.

Guarantees: what :func:`statement` writes, :func:`parse_statement` and any in-toto reader take.
Nothing here is signed: put the bytes into an envelope of type ``PAYLOAD_TYPE``.
Source: github.com/in-toto/attestation, spec/v1/statement.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from escrow.evidence.errors import StatementMalformed
from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

RECEIPT_TYPE = "urn:escrow:deposit-receipt:v1"
REPORT_TYPE = "urn:escrow:verification-report:v1"
RELEASE_TYPE = "urn:escrow:release-certificate:v1"
MISSING_DEPOSIT_TYPE = "urn:escrow:missing-deposit-notice:v1"

# Predicates that others defined; they travel beside a verification report.
RESULTS_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
SBOM_TYPE = "https://cyclonedx.org/bom"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
DESTRUCTION_TYPE = "urn:escrow:destruction-certificate:v1"

# Field of a ledger event that issues a statement: SHA-256 of the statement's bytes. Any other
# event that speaks of a statement (withdraws it, say) names it under another field.
STATEMENT_FIELD = "statement_sha256"

# Of the same event: digests of the statements that it issues beside that one, in their order.
BESIDE_FIELD = "beside_sha256"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Stamp:
    """Whose statement it is, in the form that every predicate carries as ``service``.

    Args:
        service: the agency's name for its installation.
        environment: ``production``, ``demo`` or ``development``.
        version: of the software that made the statement.
    """

    service: str
    environment: str
    version: str

    def to_json(self) -> dict[str, object]:
        """Return the ``service`` object of a predicate."""
        return {
            "name": self.service,
            "environment": self.environment,
            "version": self.version,
        }


@dataclass(frozen=True)
class Statement:
    """A statement taken apart.

    Args:
        subjects: pairs of name and SHA-256 (hex).
        predicate_type: what kind of statement it is.
        predicate: what it says; its shape is the kind's.
        sha256: digest of the bytes; the name under which the ledger knows it.
    """

    subjects: tuple[tuple[str, Sha256Hex], ...]
    predicate_type: str
    predicate: Mapping[str, object]
    sha256: Sha256Hex


def statement(
    subjects: Sequence[tuple[str, str]], predicate_type: str, predicate: Mapping[str, object]
) -> bytes:
    """Return the bytes of a statement, in RFC 8785 form.

    Args:
        subjects: pairs of name and SHA-256 (hex), at least one.
        predicate_type: RECEIPT_TYPE, REPORT_TYPE, …
        predicate: a JSON object.

    Raises:
        ValueError: no subject, or a subject's digest is none.
    """
    if not subjects or not all(_SHA256.fullmatch(digest) for _, digest in subjects):
        raise ValueError("a statement needs subjects with SHA-256 digests")
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": one}} for name, one in subjects],
            "predicateType": predicate_type,
            "predicate": dict(predicate),
        }
    )


def parse_statement(payload: bytes) -> Statement:
    """Return the statement that signed bytes hold.

    Raises:
        StatementMalformed: no Statement v1 with subjects by SHA-256.
    """
    try:
        value = json.loads(payload)
        if value["_type"] != STATEMENT_TYPE or not isinstance(value["predicate"], dict):
            raise ValueError("type or predicate")
        subjects = tuple(
            (cast("str", one["name"]), cast("Sha256Hex", one["digest"]["sha256"]))
            for one in value["subject"]
        )
        predicate_type = value["predicateType"]
        if (
            not subjects
            or not isinstance(predicate_type, str)
            or not all(isinstance(name, str) and _SHA256.fullmatch(one) for name, one in subjects)
        ):
            raise ValueError("subjects")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StatementMalformed("What was signed is no in-toto Statement v1.") from None
    return Statement(subjects, predicate_type, value["predicate"], sha256_hex(payload))
