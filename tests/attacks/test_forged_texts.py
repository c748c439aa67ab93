"""A portal that was taken over calls a text in force that nobody accepted: its people get nothing.

It has the portal's role key and every right of the portal in the database, so it files, signs its
own people's acceptances, writes what it likes into rows, and tells the keyholder to act.
"""

from __future__ import annotations

import pytest

from escrow.custody.errors import NotAccepted
from escrow.endings.states import EVENT, Step
from escrow.endings.subjects import opening_subject
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import Tampered
from escrow.ground.identifiers import AgreementId, DepositId, RequestId, new_id
from escrow.operations.keyholder.grounds import NotInLedger
from escrow.register import records as register
from escrow.register.governing import FILED
from escrow.register.subjects import acceptance_subject
from escrow.vault import records as vault
from tests.attacks.forging import (
    AGENTS,
    FORGERS,
    call_in_force,
    count_keys,
    exchanged,
    file_as_portal,
    log_as_portal,
    of_forgers,
)

ON_SQLITE_ALONE = True

PEOPLE = ("vendor", "beneficiary")


@pytest.fixture
def world(custody_world):
    return custody_world


def newest_epoch(world) -> int:
    with world.database.reading() as session:
        return vault.newest_epoch(session, AgreementId(world.agreement)).epoch


def sealed_epochs(world, deposit: str) -> set[int]:
    with world.database.reading() as session:
        return {one.epoch for one in vault.header_records_of(session, DepositId(deposit))}


def accept(world, data, *people: str) -> None:
    subject = acceptance_subject(world.agreement, 2, str(data["text_sha256"]))
    for who in people:
        world.act(world.agreement, who, "accept-agreement", subject)


@pytest.mark.parametrize("purpose", ["session", "reshare"])
def test_the_agents_next_session_deals_to_forgers(world, purpose) -> None:
    call_in_force(world, of_forgers(world), *FORGERS)
    held = world.begin_session(purpose)
    for agent in AGENTS:
        world.try_answering(held, agent)
    with pytest.raises(NotAccepted):
        world.keyholder.carry_out_session(held)
    assert newest_epoch(world) == 1


def test_the_parties_are_exchanged_together_with_the_agents(world) -> None:
    """Everybody whom the new text names has accepted it; nobody of the one in force has."""
    text = exchanged(
        world,
        ("vendor", "forger_4"),
        ("beneficiary", "forger_5"),
        *zip(AGENTS, FORGERS, strict=True),
    )
    call_in_force(world, text, *FORGERS, "forger_4", "forger_5")
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    assert world.try_answering(held, "agent_2").json()["code"] == NotAccepted.code
    assert newest_epoch(world) == 1


def test_a_release_is_asked_for_under_a_text_of_forgers(world) -> None:
    recipients = exchanged(world, ("beneficiary_primary", "forger_6"))
    data = call_in_force(world, recipients, "forger_6")
    theirs = str(world.cast.identity("forger_6").recipient)
    request = world.request(**data, recipient=theirs)
    world.try_act(request, "vendor", "consent-to-release")
    with pytest.raises(NotInLedger, match="text of the agreement"):
        world.keyholder.open_confirmation(RequestId(request))


def test_a_release_under_the_accepted_text_is_not_voided_by_a_forged_one(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    call_in_force(world, of_forgers(world), *FORGERS)
    world.keyholder.open_confirmation(RequestId(request))
    with world.database.reading() as session:
        assert vault.newest_round(session, RequestId(request)).epoch == 1


def test_a_deposit_is_withdrawn_by_a_forged_vendor(world) -> None:
    deposit = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    world.verify(world.deposit())
    text = exchanged(world, ("vendor", "forger_4"))
    data = call_in_force(world, text, "forger_4", "beneficiary", *AGENTS)
    ending = new_id("wdr")
    subject = opening_subject(
        AgreementId(world.agreement),
        2,
        str(data["text_sha256"]),
        ending,
        deposit_id=deposit,
        reason="secret",
    )
    act = world.signed("forger_4", "withdraw-deposit", subject)
    log_as_portal(world, EVENT[Step.WITHDRAW], {"ending_id": ending, "act": act})
    world.clock.move(60 * 60 * 24 * 400)
    with pytest.raises(Tampered):
        world.keyholder.shred_deposit(DepositId(deposit))
    assert sealed_epochs(world, deposit) == {1}


def test_deposits_are_sealed_under_a_text_of_forgers(world) -> None:
    call_in_force(world, of_forgers(world), *FORGERS)
    world.keyholder.hold_ceremony(world.agreement)
    count_keys(world, 2)
    draft = world.draft()
    with pytest.raises(ValueError, match="not-in-ledger"):
        world.deposit()
    assert sealed_epochs(world, draft) == set()


def test_deposits_are_sealed_to_the_waiting_key_of_an_unaccepted_text(world) -> None:
    """Filed and dealt for is enough for a key to wait; nothing is sealed to it all the same."""
    file_as_portal(world, of_forgers(world))
    world.keyholder.hold_ceremony(world.agreement)
    assert newest_epoch(world) == 2
    assert sealed_epochs(world, world.deposit()) == {1}


def test_a_row_says_that_the_forgers_key_counts(world) -> None:
    file_as_portal(world, of_forgers(world))
    world.keyholder.hold_ceremony(world.agreement)
    count_keys(world, 2)
    assert sealed_epochs(world, world.deposit()) == {1}
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    with world.database.reading() as session:
        assert vault.newest_round(session, RequestId(request)).epoch == 1


def test_a_row_says_that_a_key_counts_whose_canary_nobody_opened(world) -> None:
    """Of the right agents; that it opens nobody has shown: it waits beside the one that does."""
    world.keyholder.hold_ceremony(world.agreement)
    count_keys(world, 2)
    assert sealed_epochs(world, world.deposit()) == {1, 2}


def test_two_texts_are_filed_under_one_number(world) -> None:
    """The key is dealt to the first one's agents; the second is what the people accept."""
    file_as_portal(world, of_forgers(world))
    world.keyholder.hold_ceremony(world.agreement)
    honest = world.cast.text.replace("grace_days = 14", "grace_days = 15")
    digest = sha256_hex(honest.encode())
    with world.database.writing() as session:
        plain = session.connection().exec_driver_sql
        for (name,) in plain("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            plain(f"DROP TRIGGER {name}")
        row = register.newest_version(session, AgreementId(world.agreement))
        row.text, row.text_sha256 = honest, digest
        register.add(session, row)
    log_as_portal(world, FILED, {"version": 2, "text_sha256": digest})
    accept(world, {"text_sha256": digest}, *PEOPLE, *AGENTS)
    count_keys(world, 2)
    with pytest.raises(ValueError, match="text-tampered"):
        world.deposit()
    with world.database.reading() as session:
        rows = vault.headers_of_agreement(session, AgreementId(world.agreement))
    assert {one.epoch for one in rows} == {1}


def test_what_everybody_accepted_is_sealed_to_while_its_canary_waits(world) -> None:
    """The honest way: what comes in between has to open to the new agents as well."""
    data = file_as_portal(world, exchanged(world, ("agent_3", "agent_4")))
    world.tokens["agent_4"] = world.tokens["agent_3"]
    world.keyholder.hold_ceremony(world.agreement)
    assert sealed_epochs(world, world.deposit()) == {1}
    accept(world, data, *PEOPLE, "agent_1", "agent_2", "agent_4")
    assert sealed_epochs(world, world.deposit()) == {1, 2}
