"""From draft to in force, amendments, and which agreements govern a product."""

from __future__ import annotations

import pytest

from escrow.ground.identifiers import ProductId
from escrow.register import errors, reading
from escrow.register.acceptance import settle
from escrow.register.inforce import agreements_in_force
from escrow.register.subjects import acceptance_subject, canary_opening_subject
from escrow.testing.agreements import AgreementCast
from escrow.vault import records as vault_records

from .conftest import EVERYBODY, PRODUCT


def amended(world) -> str:
    return world.cast.text.replace("grace_days = 14", "grace_days = 15")


def test_all_signatures_make_it_accepted_and_not_yet_in_force(world):
    view = world.accept_by_all(world.file())
    assert view.standing == "accepted"
    assert {one.need for one in view.missing} == {"recipient-proof", "ceremony"}
    assert agreements_in_force(world.session, PRODUCT) == []


def test_with_nothing_missing_it_is_in_force(world):
    view = world.bring_into_force()
    assert (view.standing, view.missing, view.in_force_version) == ("in-force", (), 1)
    assert world.events()[-1] == "register:agreement:in-force"
    (governing,) = agreements_in_force(world.session, PRODUCT)
    assert (governing.k, governing.n, governing.custody) == (2, 3, "sealed")
    assert governing.text == world.cast.text
    assert governing.in_force_since == view.in_force_at


def test_the_last_signature_may_come_last(world):
    view = world.file()
    world.prove(view.agreement_id, "primary")
    world.prove(view.agreement_id, "recovery")
    world.hold_ceremony(view.agreement_id)
    world.open_canary(view.agreement_id, "agent_2", "agent_3")
    assert world.accept_by_all(view).standing == "in-force"


@pytest.mark.parametrize("absent", EVERYBODY)
def test_without_one_partys_signature_it_stays_a_draft(world, absent):
    view = world.file()
    for who in EVERYBODY:
        if who != absent:
            view = world.accept(view, who)
    assert view.standing == "draft"
    assert [one.need for one in view.missing].count("acceptance") == 1


def test_the_keys_count_only_once_the_agreement_is_in_force(world):
    view = world.file()
    world.hold_ceremony(view.agreement_id)
    world.open_canary(view.agreement_id, "agent_1", "agent_2")
    assert vault_records.counting_epoch(world.session, view.agreement_id) is None
    world.prove(view.agreement_id, "primary")
    world.prove(view.agreement_id, "recovery")
    world.accept_by_all(view)
    counting = vault_records.counting_epoch(world.session, view.agreement_id)
    assert counting is not None
    assert counting.epoch == 1


def test_settling_again_changes_nothing(world):
    view = world.bring_into_force()
    events = world.events()
    again = settle(world.session, view.agreement_id, world.scribe, clock=world.clock)
    assert again == view
    assert world.events() == events


def test_an_amendment_waits_while_the_version_in_force_stands(world):
    first = world.bring_into_force()
    second = world.amend(first.agreement_id, amended(world))
    assert (second.version, second.standing, second.in_force_version) == (2, "draft", 1)
    # Recipients and keys are the same, so they need no second proof.
    assert {one.need for one in second.missing} == {"acceptance"}
    (governing,) = agreements_in_force(world.session, PRODUCT)
    assert governing.version == 1


def test_an_amendment_replaces_the_version_in_force_when_all_have_signed(world):
    first = world.bring_into_force()
    world.clock.move(3600)
    second = world.accept_by_all(world.amend(first.agreement_id, amended(world)))
    assert (second.standing, second.in_force_version) == ("in-force", 2)
    (governing,) = agreements_in_force(world.session, PRODUCT)
    assert (governing.version, governing.in_force_since) == (2, first.in_force_at)
    assert reading.view_of(world.session, first.agreement_id, 1).standing == "superseded"


def succeeded(world, first):
    """Amend: the vendor's only person is replaced by another, and everybody named has signed."""
    successor = AgreementCast(vendor="elsewhere").signing_key("vendor")
    changes = {"vendor_signing_key": str(successor.public)}
    second = world.amend(first.agreement_id, AgreementCast(changes=changes).text)
    subject = acceptance_subject(second.agreement_id, second.version, second.text_sha256)
    world.take(second.agreement_id, world.sign(successor, "accept-agreement", subject))
    for who in EVERYBODY[1:]:
        second = world.accept(second, who)
    return second


def test_whoever_is_replaced_is_asked_to_accept_the_amendment(world):
    first = world.bring_into_force()
    second = succeeded(world, first)
    (missing,) = second.missing
    assert (missing.need, missing.organisation) == ("acceptance", "northwind")
    assert "as the text in force names you" in missing.what
    second = world.accept(second, "vendor")
    assert (second.standing, second.in_force_version) == ("in-force", 2)
    with pytest.raises(errors.SignerNotPinned):
        # He is pinned by nothing that governs any more.
        later = reading.text_of(world.session, first.agreement_id) + "\n"
        world.accept(world.amend(first.agreement_id, later), "vendor")


def test_whoever_is_replaced_does_nothing_else_under_the_amendment(world):
    first = world.bring_into_force()
    second = succeeded(world, first)
    subject = canary_opening_subject(
        first.agreement_id, *world.combine(first.agreement_id, "agent_1", "agent_2")
    )
    with pytest.raises(errors.SignerNotPinned):
        envelope = world.sign(world.cast.signing_key("vendor"), "open-canary", subject)
        world.take(second.agreement_id, envelope)


def test_a_version_that_was_replaced_before_its_time_cannot_be_signed(world):
    first = world.file()
    world.amend(first.agreement_id, amended(world))
    with pytest.raises(errors.VersionSuperseded):
        world.accept(first, "vendor")
    assert reading.view_of(world.session, first.agreement_id, 1).standing == "superseded"


def test_new_agents_need_a_new_ceremony_and_seal_nothing_before_they_are_in_force(world):
    first = world.bring_into_force()
    other = AgreementCast(vendor="elsewhere")
    changes = {
        "agent_3_signing_key": str(other.signing_key("agent_3").public),
        "agent_3_share_recipient": str(other.identity("agent_3").recipient),
    }
    second = world.amend(first.agreement_id, AgreementCast(changes=changes).text)
    assert "ceremony" in {one.need for one in second.missing}
    world.hold_ceremony(first.agreement_id)
    world.open_canary(first.agreement_id, "agent_1", "agent_2")
    counting = vault_records.counting_epoch(world.session, first.agreement_id)
    assert counting is not None
    assert counting.epoch == 1


def test_keys_dealt_anew_for_the_version_in_force_count_at_once(world):
    view = world.bring_into_force()
    world.hold_ceremony(view.agreement_id)
    world.open_canary(view.agreement_id, "agent_2", "agent_3")
    counting = vault_records.counting_epoch(world.session, view.agreement_id)
    assert counting is not None
    assert counting.epoch == 2


def test_an_amendment_that_changes_nothing_is_refused(world):
    view = world.file()
    with pytest.raises(errors.NothingChanged, match="version 1"):
        world.amend(view.agreement_id, world.cast.text)


def test_an_amendment_cannot_change_the_vendor(world):
    view = world.file()
    world.vendors.add(world.organisation("southwind"))
    changes = {"vendor_organisation": "southwind"}
    with pytest.raises(errors.VendorChanged):
        world.amend(view.agreement_id, AgreementCast(changes=changes).text)


def test_a_product_without_an_agreement_has_none_in_force(world):
    world.bring_into_force()
    assert agreements_in_force(world.session, ProductId("prd_other")) == []


def test_a_product_that_an_amendment_drops_is_governed_no_more(world):
    first = world.bring_into_force()
    world.products["other"] = ProductId("prd_other")
    world.accept_by_all(world.amend(first.agreement_id, AgreementCast(product="other").text))
    assert agreements_in_force(world.session, PRODUCT) == []
    assert len(agreements_in_force(world.session, ProductId("prd_other"))) == 1


def test_several_agreements_govern_one_product(world):
    first = world.bring_into_force()
    world.cast = AgreementCast(beneficiary="second-bank")
    world.organisation("second-bank")
    second = world.bring_into_force()
    found = [one.agreement_id for one in agreements_in_force(world.session, PRODUCT)]
    assert sorted(found) == sorted([first.agreement_id, second.agreement_id])


def test_parties_are_those_in_force_and_those_to_come(world):
    view = world.file()
    parties = reading.parties_of(world.session, view.agreement_id)
    assert parties.vendor_organisation_id == world.organisations["northwind"]
    assert parties.beneficiary_organisation_ids == {world.organisations["harbour-bank"]}
    assert len(parties.agent_member_ids) == 3
    assert parties.product_ids == {PRODUCT}
    assert reading.parties_covering(world.session, PRODUCT) == (parties,)


def test_lists_hold_what_one_stands_in(world):
    view = world.file()
    member = next(iter(reading.parties_of(world.session, view.agreement_id).agent_member_ids))
    bank = world.organisations["harbour-bank"]
    outsider = world.organisation("outsider")
    assert reading.list_agreements(world.session) == [view]
    assert reading.list_agreements(world.session, organisation_id=bank) == [view]
    assert reading.list_agreements(world.session, member_id=member) == [view]
    assert reading.list_agreements(world.session, organisation_id=outsider) == []
