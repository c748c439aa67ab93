"""Statements, and the receipt among them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from escrow.evidence.errors import StatementMalformed
from escrow.evidence.receipts import (
    AgreementFacts,
    DepositFacts,
    GitFacts,
    PartFacts,
    part_commitment,
    receipt_statement,
)
from escrow.evidence.statements import (
    RECEIPT_TYPE,
    REPORT_TYPE,
    Stamp,
    parse_statement,
    statement,
)
from escrow.ground.digests import canonical_json, sha256_hex

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = Stamp("Trial Escrow", "demo", "0.1.0")
PART = PartFacts(
    id="prt_1",
    name="app",
    kind="source",
    media="git-bundle",
    size_bytes=1000,
    sha256="ab" * 32,
    encoding="zstd",
    payload_sha256="cd" * 32,
    payload_size_bytes=400,
    as_of=AT,
    git=GitFacts({"refs/heads/main": "1" * 40}, "1" * 40, "ef" * 32, "app"),
)
DEPOSIT = DepositFacts(
    product="acme/ledger",
    product_id="prd_1",
    deposit_id="dep_1",
    number=3,
    via="git",
    received_at=AT,
    sealed_at=AT,
    parts=(PART,),
    agreements=(
        AgreementFacts("agr_1", 1, "aa" * 32, 3, 5, "sealed"),
        AgreementFacts("agr_2", 2, "bb" * 32, 2, 3, "sealed"),
    ),
)


def test_a_statement_reads_back() -> None:
    payload = statement([("a", "ab" * 32)], REPORT_TYPE, {"verdict": "pass"})
    read = parse_statement(payload)
    assert read.subjects == (("a", "ab" * 32),)
    assert (read.predicate_type, read.predicate) == (REPORT_TYPE, {"verdict": "pass"})
    assert read.sha256 == sha256_hex(payload)


@pytest.mark.parametrize("subjects", [[], [("a", "short")], [("a", "AB" * 32)]])
def test_a_statement_is_about_something(subjects: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="subjects"):
        statement(subjects, REPORT_TYPE, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("subject", []),
        ("subject", [{"name": "a"}]),
        ("subject", [{"name": 1, "digest": {"sha256": "ab" * 32}}]),
        ("subject", [{"name": "a", "digest": {"sha256": "x"}}]),
        ("predicate", "pass"),
        ("predicateType", 1),
    ],
)
def test_another_shape_is_no_statement(field: str, value: object) -> None:
    good = json.loads(statement([("a", "ab" * 32)], REPORT_TYPE, {}))
    with pytest.raises(StatementMalformed):
        parse_statement(canonical_json({**good, field: value}))


def test_a_receipt_names_what_was_received() -> None:
    read = parse_statement(receipt_statement(STAMP, DEPOSIT, "5a" * 16))
    assert read.predicate_type == RECEIPT_TYPE
    assert read.subjects == (("source/app", PART.sha256),)
    predicate = json.loads(json.dumps(read.predicate))
    assert predicate["service"]["environment"] == "demo"
    assert predicate["product"]["name"] == "acme/ledger"
    assert predicate["deposit"]["number"] == 3
    assert predicate["parts"][0]["payloadSha256"] == PART.payload_sha256
    assert predicate["parts"][0]["git"]["packSha256"] == "ef" * 32


def test_a_receipt_says_the_smallest_k() -> None:
    read = parse_statement(receipt_statement(STAMP, DEPOSIT, "5a" * 16))
    assert read.predicate["smallestK"] == 2
    alone = parse_statement(receipt_statement(STAMP, replace(DEPOSIT, agreements=()), "5a" * 16))
    assert alone.predicate["smallestK"] is None


def test_a_receipt_can_be_made_again() -> None:
    assert receipt_statement(STAMP, DEPOSIT, "5a" * 16) == receipt_statement(
        STAMP, DEPOSIT, "5a" * 16
    )


def test_the_salt_hides_what_the_ledger_names() -> None:
    one = receipt_statement(STAMP, DEPOSIT, "5a" * 16)
    other = receipt_statement(STAMP, DEPOSIT, "5b" * 16)
    assert sha256_hex(one) != sha256_hex(other)
    assert part_commitment("5a" * 16, PART) != part_commitment("5b" * 16, PART)
    parts = json.loads(one)["predicate"]["parts"]
    assert parts[0]["commitment"] == part_commitment("5a" * 16, PART)
