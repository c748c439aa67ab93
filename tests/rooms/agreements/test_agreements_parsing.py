"""Reading a text: what is taken, and that every mistake is named with its line and a remedy."""

from __future__ import annotations

import hashlib

import pytest

from agreements.errors import AgreementInvalid
from agreements.parsing import (
    MAX_TEXT_BYTES,
    check_agreement,
    parse_agreement,
    reread_agreement,
)
from agreements.reading import MAX_PROBLEMS

KEY = "ed25519:" + "A" * 42 + "E="

# (what to replace, by what, the code that names the mistake, how far below the first line it is)
MISTAKES = [
    ('title = "', "title = 5 #", "wrong-type", 0),
    ('title = "', 'titel = "', "unknown-key", 0),
    ('custody = "sealed"', 'custody = "seald"', "unknown-word", 0),
    ('custody = "sealed"', "custody = true", "wrong-type", 0),
    ("_days = 10", "_days = 0", "out-of-range", 0),
    ("_days = 10", '_days = "10"', "wrong-type", 0),
    ("_days = 10", "_days = true", "wrong-type", 0),
    ("cadence_days = 90", "cadence_days = 90.5", "wrong-type", 0),
    ("cadence_days = 90", "cadence_days = 1979-05-27", "wrong-type", 0),
    ("cadence_days = 90", "", "missing", None),
    ("required = true", 'required = "yes"', "wrong-type", 0),
    ('organisation = "northwind"', 'organisation = "North Wind"', "malformed", 0),
    ('organisation = "northwind"', 'organisation = "a..b"', "malformed", 0),
    ('organisation = "northwind"', 'organisation = "a.git"', "malformed", 0),
    ('name = "name of northwind"', 'name = "  "', "empty", 0),
    ('name = "name of northwind"', f'name = "{"x" * 201}"', "too-long", 0),
    ('name = "name of northwind"', 'name = "a\\u0000b"', "unprintable", 0),
    ('name = "name of northwind"', 'name = "a\\u202eb"', "unprintable", 0),
    ('name = "name of northwind"', 'name = "${vendor_name}"', "placeholder-left", 0),
    ('email = "contact_1_at@northwind.example"', 'email = "a@b"', "malformed", 0),
    ('recipient = "age1', 'recipient = "AGE-SECRET-KEY-1', "malformed", 0),
    ('kind = "primary"', 'kind = "spare"', "unknown-word", 0),
    ('kind = "source"', 'kind = "sauce"', "unknown-word", 0),
    ('level = "build"', 'level = "bild"', "unknown-word", 0),
    ('type = "vendor-insolvency"', 'type = "vendor-bankrupt"', "unknown-word", 0),
    ('"court-record", ', '"court-recrod", ', "unknown-word", 0),
    ('frees = ["source", "docs"]', "frees = []", "wrong-count", 0),
    ('frees = ["source", "docs"]', 'frees = "source"', "wrong-type", 0),
    ("[vendor]", "[[vendor]]", "wrong-type", 0),
    ('format = "escrow-agreement/1"', 'format = "escrow-agreement/9"', "unknown-word", 0),
    ('calendar = "GB-ENG"', 'calendar = "GB-EGN"', "unknown-calendar", 0),
    ("k = 2", "k = 2\nk = 3", "syntax", 1),
    ("k = 2", "k = ", "syntax", 0),
    ('title = "', 'title = "\\q', "syntax", 0),
]


@pytest.mark.parametrize(("old", "new", "code", "below"), MISTAKES)
def test_a_mistake_is_named_with_its_line(old, new, code, below, problems_after, line_with):
    found = [one for one in problems_after(old, new) if one.code == f"agreement.{code}"]
    assert found, problems_after(old, new)
    assert found[0].reason.endswith("."), found[0]
    assert found[0].remedy
    if below is not None:
        assert found[0].line == line_with(old) + below


def test_the_filled_template_has_no_problem(text):
    assert check_agreement(text) == []


def test_an_agreement_carries_the_digest_of_exactly_its_text(text):
    agreement = parse_agreement(text)
    assert agreement.text_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert parse_agreement(text + "# a comment\n").text_sha256 != agreement.text_sha256


def test_terms_are_read_and_completed(text):
    agreement = parse_agreement(text)
    assert agreement.custody == "sealed"
    assert agreement.sealing.k == 2
    assert agreement.agents[0].organisation == "agent-1-chambers"
    assert agreement.products[0].materials[1].max_age_days == 365
    assert agreement.beneficiaries[0].recipients[1].kind == "recovery"
    assert agreement.conditions[0].cure_days is None


def test_a_condition_takes_its_cure_period_from_its_type(text):
    without = text.replace("curable = true\ncure_days = 10\n", "")
    condition = parse_agreement(without).conditions[3]
    assert (condition.type, condition.curable, condition.cure_days) == (
        "maintenance-default",
        True,
        10,
    )


def test_all_mistakes_are_told_at_once(text):
    broken = text.replace('kind = "primary"', 'kind = "x"').replace("k = 2", "k = 9")
    codes = [one.code for one in check_agreement(broken)]
    assert "agreement.unknown-word" in codes
    assert "agreement.k-over-n" in codes


def test_problems_come_in_the_order_of_lines(text):
    lines = [one.line for one in check_agreement(text.replace("=", "= 1 #"))]
    assert lines == sorted(lines)


def test_an_invalid_text_raises_with_every_problem(text):
    with pytest.raises(AgreementInvalid, match="Line ") as raised:
        parse_agreement(text.replace("k = 2", "k = 1"))
    assert [one.code for one in raised.value.problems] == ["agreement.k-one"]


def test_an_unknown_key_suggests_the_near_one(problems_after):
    (problem,) = [
        one for one in problems_after("cadence_days", "cadense_days") if "unknown" in one.code
    ]
    assert problem.remedy == "Did you mean 'cadence_days'?"
    assert problem.path == "agreement.cadense_days"


def test_one_bracket_too_few_is_explained(text):
    broken = text[: text.index("# Each condition is")] + '[conditions]\ntype = "court-order"\n'
    (problem,) = check_agreement(broken)[-1:]
    assert "two brackets" in problem.remedy


def test_a_missing_table_says_what_to_add():
    remedies = [one.remedy for one in check_agreement('format = "escrow-agreement/1"\n')]
    assert "Add a table [vendor]." in remedies
    assert "Add at least one [[agents]]." in remedies
    assert "Add a table [sealing]." in remedies


def test_windows_line_ends_do_not_shift_lines(text, line_with):
    (problem,) = check_agreement(text.replace("k = 2", "k = 1").replace("\n", "\r\n"))
    assert problem.line == line_with("k = 2")


def test_a_byte_order_mark_is_named(text):
    (problem,) = check_agreement("\ufeff" + text)
    assert problem.code == "agreement.byte-order-mark"


def test_a_text_that_is_not_utf8_is_named(text):
    (problem,) = check_agreement(text + "# \ud800\n")
    assert problem.code == "agreement.not-utf8"


def test_an_oversized_text_is_not_read():
    (problem,) = check_agreement("#" * (MAX_TEXT_BYTES + 1))
    assert problem.code == "agreement.too-large"


def test_the_list_of_problems_is_bounded():
    many = "".join(f"key{number} = 1\n" for number in range(10 * MAX_PROBLEMS))
    assert len(check_agreement(many)) == MAX_PROBLEMS


def test_inline_and_dotted_forms_are_read_alike(text):
    sealing = "[sealing]\nk = 2\n"
    assert sealing in text
    inline = "sealing = { k = 2 }\n" + text.replace(sealing, "")
    dotted = "sealing.k = 2\n" + text.replace(sealing, "")
    assert check_agreement(inline) == check_agreement(dotted) == []


def test_what_was_signed_stays_readable_when_rules_and_calendars_change(text):
    unknown_today = text.replace('"GB-ENG"', '"ZZ-OLD"')
    with pytest.raises(AgreementInvalid):
        parse_agreement(unknown_today)
    assert reread_agreement(unknown_today).calendar == "ZZ-OLD"
    with pytest.raises(AgreementInvalid):
        reread_agreement(text.replace("k = 2", 'k = "2"'))
