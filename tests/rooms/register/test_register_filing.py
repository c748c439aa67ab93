"""Filing: what is taken, what is refused with which sentence, what is kept for ever."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from escrow.ground.identifiers import AgreementId, OrganisationId
from escrow.register import errors, reading
from escrow.register.filing import Filer
from escrow.testing.agreements import AgreementCast
from escrow.vault.age import X25519Recipient


def test_a_filed_agreement_is_a_draft_with_a_list_of_what_is_missing(world):
    view = world.file()
    assert (view.version, view.standing, view.k, view.n) == (1, "draft", 2, 3)
    needs = [one.need for one in view.missing]
    assert needs == ["acceptance"] * 5 + ["recipient-proof"] * 2 + ["ceremony"]
    assert view.missing[0].who == "person name of northwind of northwind"
    assert view.missing[-1].who == "the administrator, or an agent"


def test_the_text_is_kept_exactly(world):
    view = world.file()
    assert reading.text_of(world.session, view.agreement_id) == world.cast.text
    assert view.text_sha256 == world.cast.agreement.text_sha256


def test_filing_is_logged_without_names_or_addresses(world):
    view = world.file()
    assert world.events() == ["register:agreement:filed"]
    entries = world.entries()
    assert view.text_sha256.encode() in entries
    assert b"example" not in entries
    assert b"Somebody" not in entries


def test_a_text_with_errors_is_refused_with_every_line(world):
    with pytest.raises(errors.AgreementTextInvalid) as raised:
        world.file(world.cast.text.replace("k = 2", "k = 1").replace('"docs"\nr', '"dox"\nr'))
    codes = {one.code for one in raised.value.problems}
    assert codes == {"agreement.k-one", "agreement.unknown-word"}


@pytest.mark.parametrize("organisation", ["northwind", "harbour-bank"])
def test_a_party_may_file(world, organisation):
    by = Filer("mem_1", world.organisations[organisation])
    assert world.file(by=by).standing == "draft"


@pytest.mark.parametrize("organisation", ["agent-1-chambers", None])
def test_others_may_not_file(world, organisation):
    own = world.organisations[organisation] if organisation else OrganisationId("org_else")
    with pytest.raises(errors.FilerNoParty):
        world.file(by=Filer("mem_1", own))


def test_an_unregistered_organisation_is_named(world):
    cast = AgreementCast(beneficiary="unknown-bank")
    with pytest.raises(errors.OrganisationUnknown, match="unknown-bank"):
        world.file(cast.text)


def test_an_unregistered_agent_is_named(world):
    with pytest.raises(errors.AgentUnknown, match=r"new@agent-1-chambers\.example"):
        world.file(AgreementCast(changes={"agent_1_email": "new@agent-1-chambers.example"}).text)


def test_an_unregistered_product_is_named(world):
    with pytest.raises(errors.ProductUnknown, match="no registered product other"):
        world.file(AgreementCast(product="other").text)


@pytest.mark.parametrize("place", ["beneficiary_primary_recipient", "agent_1_share_recipient"])
def test_a_recipient_that_everybody_could_open_is_refused(world, place):
    # The point of order one: X25519 with it gives zeros, whatever the other key is.
    with pytest.raises(errors.RecipientUnusable):
        world.file(AgreementCast(changes={place: str(X25519Recipient(bytes(32)))}).text)
    assert world.events() == []


def test_a_version_cannot_be_rewritten_or_deleted(world, database_kind):
    world.file()
    # What SQLite has and PostgreSQL has not, and the other way round.
    replaced = "INSERT OR REPLACE INTO agreement_version SELECT * FROM agreement_version"
    for statement in (
        "UPDATE agreement_version SET text = 'x'",
        "DELETE FROM agreement_version",
        replaced if database_kind == "sqlite" else "TRUNCATE agreement_version CASCADE",
    ):
        with (
            pytest.raises(sa.exc.DBAPIError, match="versions of agreements are kept"),
            world.session.begin_nested(),
        ):
            world.session.execute(sa.text(statement))


def test_a_text_changed_in_the_file_is_noticed(world):
    view = world.file()
    world.session.commit()
    world.ledger.tamper("UPDATE agreement_version SET text = replace(text, 'k = 2', 'k = 1')")
    world.session.expire_all()
    with pytest.raises(errors.AgreementTextTampered):
        reading.view_of(world.session, view.agreement_id)


def test_an_unknown_agreement_is_not_found(world):
    nowhere = AgreementId("agr_nowhere")
    for ask in (reading.view_of, reading.text_of, reading.parties_of):
        with pytest.raises(errors.AgreementUnknown):
            ask(world.session, nowhere)
    with pytest.raises(errors.AgreementUnknown):
        world.amend(nowhere, world.cast.text)
