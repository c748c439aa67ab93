"""Rules between values: who may not be whom, k of n, and the traps that only warn."""

from __future__ import annotations

import pytest

from agreements.parsing import check_agreement
from escrow.testing.agreements import AgreementCast

CAST = AgreementCast()
AGENT_1, AGENT_2 = CAST.agreement.agents[0], CAST.agreement.agents[1]
VENDOR = CAST.agreement.vendor
BANK = CAST.agreement.beneficiaries[0]
PRIMARY, RECOVERY = (one.recipient for one in BANK.recipients)
ALL_CONDITIONS = CAST.text[CAST.text.index("[[conditions]]") : CAST.text.index("[requests]")]

ERRORS = [
    ("k = 2", "k = 1", "k-one", "sealing.k"),
    ("k = 2", "k = 3", "k-equals-n", "sealing.k"),
    ("k = 2", "k = 4", "k-over-n", "sealing.k"),
    (AGENT_2.signing_key, AGENT_1.signing_key, "key-twice", "agents[1].signing_key"),
    (AGENT_2.signing_key, VENDOR.persons[0].signing_key, "key-twice", "agents[1].signing_key"),
    (AGENT_2.email, AGENT_1.email.upper(), "person-twice", "agents[1].email"),
    (AGENT_2.email, VENDOR.contacts[0].email, "agent-of-party", "agents[1].email"),
    (AGENT_2.email, BANK.persons[0].email, "agent-of-party", "agents[1].email"),
    ('"agent-2-chambers"', '"northwind"', "agent-of-party", "agents[1].organisation"),
    ('"agent-2-chambers"', '"harbour-bank"', "agent-of-party", "agents[1].organisation"),
    (AGENT_2.share_recipient, PRIMARY, "recipient-twice", "agents[1].share_recipient"),
    (RECOVERY, PRIMARY, "recipient-twice", "beneficiaries[0].recipients[1].recipient"),
    (PRIMARY, f"{PRIMARY[:-1]}{'q' if PRIMARY[-1] != 'q' else 'p'}", "malformed", None),
    ('kind = "primary"', 'kind = "recovery"', "primary-recipient", "beneficiaries[0].recipients"),
    ('"harbour-bank"', '"northwind"', "party-twice", "beneficiaries[0].organisation"),
    ('vendor = "northwind"', 'vendor = "other"', "foreign-product", "products[0].vendor"),
    ('kind = "docs"', 'kind = "source"', "material-twice", "products[0].materials[1]"),
    ('signs = "single"\n', 'signs = "joint"\n', "nobody-can-sign", "vendor.persons[0].signs"),
    ("curable = true", "curable = false", "cure-of-incurable", "conditions[2].cure_days"),
]

WARNINGS = [
    ('"agent-2-chambers"', '"agent-1-chambers"', "agents-concentrated"),
    ('evidence = ["signed-instruction"]\n', "", "condition-without-evidence"),
    ('evidence = ["signed-instruction"]', "evidence = []", "condition-without-evidence"),
    ('kind = "source"', 'kind = "data"', "source-not-owed"),
    ("_period_business_days = 10", "_period_business_days = 2", "unusual-objection-period"),
    ("_period_business_days = 10", "_period_business_days = 60", "unusual-objection-period"),
    ("grace_days = 14", "grace_days = 100", "grace-over-cadence"),
    ('level = "build"', 'level = "inventory"', "level-without-build"),
    ('log = ["vendor"]', 'log = ["beneficiary"]', "discloses-early"),
    ('frees = ["source", "docs"]', 'frees = ["source", "data"]', "frees-nothing"),
    (
        'frees = ["source", "docs"]',
        'frees = ["access"]\npermanence = "temporary"',
        "access-not-returnable",
    ),
]


@pytest.mark.parametrize(("old", "new", "code", "path"), ERRORS)
def test_a_broken_rule_is_an_error(old, new, code, path, problems_after):
    errors = {one.code: one for one in problems_after(old, new) if one.severity == "error"}
    assert f"agreement.{code}" in errors, errors
    assert path is None or errors[f"agreement.{code}"].path == path


@pytest.mark.parametrize(("old", "new", "code"), WARNINGS)
def test_a_trap_is_a_warning_and_no_error(old, new, code, problems_after):
    problems = problems_after(old, new)
    assert [one.code for one in problems] == [f"agreement.{code}"]
    assert problems[0].severity == "warning"


def test_every_agent_in_one_organisation_can_open_and_block(text):
    together = text.replace('"agent-2-chambers"', '"agent-1-chambers"')
    (problem,) = check_agreement(together)
    assert "open every deposit alone and block every release alone" in problem.reason


def test_insolvency_alone_is_a_weak_ground(text):
    only = text.replace(
        ALL_CONDITIONS, ALL_CONDITIONS.split("[[conditions]]")[1].join(["[[conditions]]", ""])
    )
    assert [one.code for one in check_agreement(only)] == ["agreement.only-insolvency"]


def test_one_contact_is_warned_of(text):
    block = text[text.index("[[vendor.contacts]]") :].split("\n\n")[0] + "\n\n"
    (problem,) = check_agreement(text.replace(block, "", 1))
    assert (problem.code, problem.severity) == ("agreement.one-contact", "warning")


def test_nobody_to_decide_a_dispute_is_warned_of(text):
    (problem,) = check_agreement(text[: text.index("[disputes]")])
    assert problem.code == "agreement.no-resolver"


def test_a_lost_recovery_key_is_warned_of(text):
    start = text.index('[[beneficiaries.recipients]]\nkind = "recovery"')
    end = text.index("# ----", start)
    (problem,) = check_agreement(text[:start] + text[end:])
    assert (problem.code, problem.severity) == ("agreement.no-recovery-recipient", "warning")


def test_two_joint_signers_can_sign_together(text):
    second = CAST.text.index("# ---------------------------------------------------------------- b")
    person = (
        '[[vendor.persons]]\nname = "Second"\nemail = "second@northwind.example"\n'
        f'signing_key = "{AgreementCast(vendor="other").signing_key("vendor").public}"\n'
        'signs = "joint"\n'
    )
    both = (text[:second] + person + text[second:]).replace('"single"\n', '"joint"\n', 1)
    assert check_agreement(both) == []


def test_a_blank_is_not_reported_twice(problems_after):
    codes = [one.code for one in problems_after(PRIMARY, "nonsense")]
    assert codes == ["agreement.malformed"]
