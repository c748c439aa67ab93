"""The agreement as values: people by key, disclosure, the registry of grounds."""

from __future__ import annotations

import pytest

from agreements.conditions import CONDITION_TYPES, EVIDENCE_TYPES
from agreements.disclosure import DOCUMENT_KINDS, complete_disclosure
from agreements.parsing import parse_agreement
from escrow.testing.agreements import AgreementCast


@pytest.mark.parametrize("role", ["vendor", "beneficiary"])
def test_a_key_names_its_person(text, role):
    key = str(AgreementCast().signing_key(role).public)
    person = parse_agreement(text).person_of_key(key)
    assert person is not None
    assert (person.role, person.signing_key) == (role, key)


def test_an_unknown_key_names_nobody(text):
    assert parse_agreement(text).person_of_key("ed25519:" + "A" * 43 + "=") is None


def test_signers_by_role(text):
    agreement = parse_agreement(text)
    assert [len(agreement.signers(role)) for role in ("vendor", "beneficiary", "agent")] == [
        1,
        1,
        3,
    ]
    assert len(agreement.signatories()) == 5


def test_a_party_is_found_by_its_short_name(text):
    agreement = parse_agreement(text)
    assert agreement.party("harbour-bank") is agreement.beneficiaries[0]
    assert agreement.party("nobody") is None


def test_before_a_release_only_the_summary_is_open():
    disclosure = complete_disclosure({})
    open_kinds = {kind for kind, classes in disclosure.items() if "beneficiary" in classes}
    assert open_kinds == {"summary"}
    assert set(disclosure) == set(DOCUMENT_KINDS)


def test_the_vendor_always_sees_his_own(text):
    closed = parse_agreement(text.replace('log = ["vendor"]', "log = []"))
    assert closed.may_see("log", "vendor")
    assert not closed.may_see("log", "auditor")


def test_an_unknown_kind_of_document_is_the_vendors_alone(text):
    agreement = parse_agreement(text)
    assert agreement.may_see("heap-dump", "vendor")
    assert not agreement.may_see("heap-dump", "beneficiary")


def test_the_fourteen_grounds_need_known_evidence():
    assert len(CONDITION_TYPES) == 14
    for one in CONDITION_TYPES.values():
        assert one.evidence
        assert set(one.evidence) <= set(EVIDENCE_TYPES)
        assert one.curable == (one.cure_days is not None)


def test_every_kind_of_evidence_serves_a_ground():
    used = {kind for one in CONDITION_TYPES.values() for kind in one.evidence}
    assert used == set(EVIDENCE_TYPES)


def test_terms_cannot_be_changed(text):
    agreement = parse_agreement(text)
    with pytest.raises(AttributeError):
        agreement.custody = "standing"
    with pytest.raises(TypeError):
        agreement.disclosure["log"] = ("beneficiary",)
