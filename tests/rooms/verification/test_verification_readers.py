from datetime import UTC, datetime

from escrow.evidence.statements import Stamp, parse_statement
from escrow.verification.judging import Custody, Terms, Verdicts, attributed, judge_unexamined
from escrow.verification.ladder import Level, Reason, Verdict
from escrow.verification.outcomes import Outcome
from escrow.verification.parts import DepositFacts, SealedPart
from escrow.verification.report import (
    OTHER_CLASSES,
    Readers,
    manifest_commitment,
    predicate,
    readers_of,
    report_statement,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SUMMARY = frozenset({"summary"})
PART = SealedPart("prt_1", "source", "core", "tar", 1, "identity", "ab" * 32, "cd" * 32, NOW)
DEPOSIT = DepositFacts("dep_1", 1, "prd_1", NOW, (PART,))
OUTCOME = Outcome("exa_1", 1, NOW, NOW, {})
SALTS = {"": "00" * 16, "agr_1": "11" * 16, "agr_2": "22" * 16}


def terms(agreement_id: str, beneficiary: frozenset[str] = SUMMARY) -> Terms:
    classes = dict.fromkeys(OTHER_CLASSES, SUMMARY) | {"beneficiary": beneficiary}
    return Terms(agreement_id, 1, Level.BUILD, Custody("sealed", 2, 3, 2), classes)


def verdicts(*under: Terms) -> Verdicts:
    def judge(one: Terms | None) -> object:
        return judge_unexamined(one, Level.BUILD, (), Reason.SERVICE_FAILED)

    return Verdicts(judge(None), tuple(judge(one) for one in under))  # type: ignore[arg-type]


def said_to(readers: Readers) -> dict[str, object]:
    sections = predicate(Stamp("E", "demo", "0"), DEPOSIT, OUTCOME, readers, SALTS)
    return dict(parse_statement(report_statement(DEPOSIT, sections, readers)).predicate)


def test_classes_that_see_the_same_share_a_statement() -> None:
    readers = readers_of(verdicts(terms("agr_1"), terms("agr_2")))
    assert [(one.agreement_id, one.classes) for one in readers] == [
        ("", ("vendor",)),
        ("agr_1", OTHER_CLASSES),
        ("agr_2", OTHER_CLASSES),
    ]


def test_terms_that_disclose_more_make_a_statement_of_its_own() -> None:
    wide = terms("agr_1", frozenset({"summary", "findings", "identifiers"}))
    _, beneficiary, others = readers_of(verdicts(wide))
    assert beneficiary.classes == ("beneficiary",)
    assert "findings" in said_to(beneficiary)
    assert "findings" not in said_to(others)


def test_readers_under_one_agreement_are_told_no_other_agreements_salt() -> None:
    wide = terms("agr_1", frozenset({"summary", "identifiers"}))
    said = said_to(readers_of(verdicts(wide, terms("agr_2")))[1])
    identifiers = said["identifiers"]
    assert isinstance(identifiers, dict)
    assert identifiers["salts"] == {"agr_1": SALTS["agr_1"]}


def test_the_commitment_is_opened_by_the_salt_that_the_vendor_is_told() -> None:
    vendor, others = (said_to(one) for one in readers_of(verdicts(terms("agr_1"))))
    identifiers = vendor["identifiers"]
    assert isinstance(identifiers, dict)
    salt = identifiers["salts"]["agr_1"]
    assert others["manifestCommitment"] == manifest_commitment(DEPOSIT, OUTCOME, salt)


def test_an_error_is_said_at_every_level_but_the_first() -> None:
    vendor = readers_of(verdicts())[0].judgement
    assert (vendor.verdict, vendor.reached, vendor.reason) == (
        Verdict.ERROR,
        Level.RECEIVED,
        Reason.SERVICE_FAILED,
    )
    assert attributed(verdicts()) == []
