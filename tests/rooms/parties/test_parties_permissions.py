"""The table is total, closed by default, and gives exactly what it says."""

from __future__ import annotations

import pytest

from escrow.ground.errors import NotFound
from escrow.ground.identifiers import OrganisationId, TokenId
from escrow.parties.errors import NotAllowed, NothingThere, OrganisationUnknown, TokenLacksVerb
from escrow.parties.permissions import (
    ALLOWED,
    Principal,
    Relation,
    Role,
    Verb,
    check_allowed,
    daily_verbs_of,
    is_allowed,
    table_as_markdown,
    verbs_of,
)


def principal(role: Role, *verbs: Verb) -> Principal:
    return Principal(
        token_id=TokenId("tok_x"),
        member_id=None,
        organisation_id=OrganisationId("org_x"),
        role=role,
        verbs=frozenset(verbs) or verbs_of(role),
    )


def test_table_is_total_over_its_enums() -> None:
    assert set(ALLOWED) == set(Role)
    for role in Role:
        assert set(ALLOWED[role]) == set(Verb)
        assert all(relations <= set(Relation) for relations in ALLOWED[role].values())


def test_nobody_but_the_operator_reaches_what_is_not_his() -> None:
    for role in set(Role) - {Role.OPERATOR}:
        assert not any(Relation.NONE in relations for relations in ALLOWED[role].values())


def test_operator_sees_no_content_and_acts_for_no_party() -> None:
    content = {Verb.READ_REPORT, Verb.READ_LOG, Verb.READ_DOCUMENT, Verb.READ_RECEIPT}
    acts = {Verb.DEPOSIT, Verb.ACCEPT, Verb.OPEN_SHARE}
    assert not verbs_of(Role.OPERATOR) & (content | acts)


def test_only_the_vendor_deposits_and_reads_log_and_receipt() -> None:
    for verb in (Verb.DEPOSIT, Verb.READ_LOG, Verb.READ_RECEIPT):
        holders = {role for role in Role if ALLOWED[role][verb]}
        assert holders == {Role.VENDOR}
        assert ALLOWED[Role.VENDOR][verb] == {Relation.VENDOR_OF_PRODUCT}


def test_auditor_only_reads() -> None:
    assert all(verb.startswith("read-") for verb in verbs_of(Role.AUDITOR))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("verb", Verb)
def test_checker_and_table_agree(role: Role, verb: Verb) -> None:
    for relation in Relation:
        who = principal(role)
        if relation in ALLOWED[role][verb]:
            check_allowed(who, verb, relation)
        else:
            with pytest.raises((NotAllowed, NothingThere)):
                check_allowed(who, verb, relation)
        assert is_allowed(who, verb, relation) == (relation in ALLOWED[role][verb])


def test_what_is_not_yours_looks_absent() -> None:
    with pytest.raises(OrganisationUnknown):
        who = principal(Role.VENDOR)
        check_allowed(who, Verb.ADMINISTER, Relation.NONE, OrganisationUnknown)


def test_not_yours_is_said_before_the_token_is_blamed() -> None:
    with pytest.raises(NotFound):
        check_allowed(principal(Role.VENDOR, Verb.READ_STATUS), Verb.DEPOSIT, Relation.NONE)


def test_token_without_the_verb_is_told_so() -> None:
    who = principal(Role.VENDOR, Verb.READ_STATUS)
    with pytest.raises(TokenLacksVerb):
        check_allowed(who, Verb.DEPOSIT, Relation.VENDOR_OF_PRODUCT)


def test_a_verb_in_the_token_opens_nothing_by_itself() -> None:
    who = principal(Role.BENEFICIARY, *Verb)
    with pytest.raises(NotAllowed):
        check_allowed(who, Verb.READ_LOG, Relation.PARTY_OF_AGREEMENT)


def test_daily_work_is_no_administration() -> None:
    assert Verb.DEPOSIT in daily_verbs_of(Role.VENDOR)
    assert not daily_verbs_of(Role.VENDOR) & {Verb.ADMINISTER, Verb.ISSUE_TOKEN}


def test_page_has_a_row_for_each_verb() -> None:
    page = table_as_markdown()
    assert all(f"| `{verb}` |" in page for verb in Verb)
