"""Ending something alone, too early, or in spite of a hold: by acts, by rows, by a taken portal."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from escrow.endings.errors import (
    EndingTooEarly,
    HoldStands,
    LastBuildable,
    RequestOpen,
    RetentionKeeps,
    TooFewWords,
)
from escrow.endings.states import EVENT, Step
from escrow.ground.errors import EscrowError, Tampered
from escrow.ground.identifiers import DepositId
from escrow.ledger.events import NewEvent, Stream
from escrow.testing.endings import Endings
from escrow.vault import records as vault


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def endings(release_world) -> Endings:
    return Endings(release_world)


@pytest.fixture
def newest(world) -> str:
    return str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])


@pytest.fixture
def replaced(world, newest) -> str:
    world.verify(world.deposit())
    return newest


def code_of(answer) -> str:
    assert answer.is_error, answer.text
    return str(answer.json()["code"])


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def shred(world, deposit: str) -> None:
    """Ask the keyholder directly, as a portal that was taken over can."""
    world.keyholder.shred_deposit(DepositId(deposit))


def forged(world, step: Step, ending: str) -> None:
    """Write the event of a step without its act, as a portal that was taken over can."""
    stream = Stream("agreement", world.agreement)
    event = NewEvent(stream, EVENT[step], "key:forged", {"ending_id": ending})
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)
    world.keyholder.sequence()


# --- withdrawal -------------------------------------------------------------------------------


def test_the_last_buildable_deposit_is_withdrawn(world, endings, newest) -> None:
    answer = endings.try_act("vendor", "withdraw-deposit", deposit_id=newest, reason="secret")
    assert code_of(answer) == "endings.last-buildable"
    assert "Deposit a clean one first" in answer.json()["remedy"]


def test_both_of_two_deposits_are_withdrawn(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    newest = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    answer = endings.try_act("vendor", "withdraw-deposit", deposit_id=newest, reason="secret")
    assert code_of(answer) == "endings.last-buildable"


def test_a_deposit_is_withdrawn_under_a_hold(world, endings, replaced) -> None:
    endings.hold()
    answer = endings.try_act("vendor", "withdraw-deposit", deposit_id=replaced, reason="secret")
    assert code_of(answer) == "endings.held"


def test_a_hold_that_comes_in_quarantine_keeps_the_deposit_until_it_is_lifted(
    world, endings, replaced
) -> None:
    endings.withdraw(replaced)
    hold = endings.hold()
    endings.pass_quarantine()
    with pytest.raises(HoldStands):
        shred(world, replaced)
    assert headers(world, replaced) > 0
    endings.lift(hold)
    world.rooms.endings.push_all_on()
    assert headers(world, replaced) == 0


def test_a_deposit_is_shredded_during_a_release_request(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    world.request()
    endings.pass_quarantine()
    with pytest.raises(RequestOpen):
        shred(world, replaced)
    assert headers(world, replaced) > 0


def test_a_deposit_is_shredded_before_its_time(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    with pytest.raises(EndingTooEarly):
        shred(world, replaced)


def test_the_newer_deposit_fails_after_the_withdrawal(world, endings, replaced) -> None:
    """The replacement is looked at again when it counts."""
    endings.withdraw(replaced)
    other = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    stream = Stream("agreement", world.agreement)
    facts = {"deposit_id": other, "verdict": "fail", "level": "inventory"}
    from escrow.ledger.appending import Scribe

    worker = Scribe("worker", world.ledger.key("worker"), world.clock)
    with world.database.writing() as session:
        worker.append(session, NewEvent(stream, "verification:report:signed", "worker", facts))
    endings.pass_quarantine()
    with pytest.raises(LastBuildable):
        shred(world, replaced)


def test_a_taken_portal_asks_to_shred_what_nobody_withdrew(world, replaced) -> None:
    with pytest.raises(RetentionKeeps):
        shred(world, replaced)
    with world.database.writing() as session:
        session.execute(sa.text("UPDATE deposit SET state = 'quarantined'"))
    with pytest.raises(RetentionKeeps):
        shred(world, replaced)


# --- holds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["vendor", "agent_1"])
def test_somebody_else_lifts_the_beneficiarys_hold(world, endings, who) -> None:
    from escrow.ground.digests import sha256_hex
    from escrow.testing.endings import WORDS

    hold = endings.hold()
    answer = endings.try_act(who, "lift-hold", hold, statement_sha256=sha256_hex(WORDS))
    assert code_of(answer) == "endings.wrong-doer"


def test_a_database_writer_deletes_a_hold(world, endings, replaced) -> None:
    """The row is gone; the keyholder asks the ledger."""
    endings.withdraw(replaced)
    hold = endings.hold()
    with world.database.writing() as session:
        session.execute(sa.text("DELETE FROM ending_paper"))
        session.execute(sa.text("DELETE FROM ending WHERE id = :id"), {"id": hold})
    endings.pass_quarantine()
    with pytest.raises(HoldStands):
        shred(world, replaced)
    assert headers(world, replaced) > 0


def test_a_database_writer_deletes_the_event_of_a_hold(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    endings.hold()
    world.keyholder.sequence()
    gone = "UPDATE ledger_entry SET stream_id = 'agr_gone' WHERE type = ?"
    world.ledger.tamper(gone, EVENT[Step.PLACE])
    world.clock.moment += timedelta(days=15)
    with pytest.raises(EscrowError):
        shred(world, replaced)
    assert headers(world, replaced) > 0


def test_a_taken_portal_lifts_a_hold_without_an_act(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    hold = endings.hold()
    forged(world, Step.LIFT, hold)
    world.clock.moment += timedelta(days=15)
    with pytest.raises(Tampered):
        shred(world, replaced)
    assert headers(world, replaced) > 0


# --- destruction ------------------------------------------------------------------------------


def test_the_vendor_alone_destroys(world, endings, newest) -> None:
    ending = endings.request_destruction()
    world.clock.moment += timedelta(days=60)
    world.rooms.endings.push_all_on()
    for act in ("acknowledge-destruction", "confirm-destruction"):
        own = {} if act.startswith("ack") else {"text_sha256": "0" * 64, "ledger_head": "0" * 64}
        answer = endings.try_act("vendor", act, ending, **own)
        assert code_of(answer) == "endings.wrong-doer"
    with pytest.raises(EscrowError):
        world.keyholder.destroy_agreement(ending)
    assert headers(world, newest) > 0


def test_the_operator_alone_destroys(world, endings, newest) -> None:
    """With the portal's key and the database: events without acts, rows without events."""
    ending = endings.request_destruction()
    for step in (Step.SERVE, Step.END_GRACE, Step.CONFIRM, Step.CONFIRM):
        forged(world, step, ending)
    with world.database.writing() as session:
        session.execute(sa.text("UPDATE ending SET state = 'confirming'"))
    world.clock.moment += timedelta(days=60)
    with pytest.raises(Tampered):
        world.keyholder.destroy_agreement(ending)
    assert headers(world, newest) > 0


def test_one_agent_less_than_needed_destroys(world, endings, newest) -> None:
    ending = endings.until_confirmable()
    endings.confirm(ending, "agent_1")
    assert code_of(endings.try_confirming(ending, "agent_1")) == "endings.known"
    with pytest.raises(TooFewWords):
        world.keyholder.destroy_agreement(ending)
    assert headers(world, newest) > 0


def test_a_confirmation_of_another_text_or_of_an_earlier_day(world, endings) -> None:
    ending = endings.until_confirmable()
    for field in ("text_sha256", "ledger_head"):
        answer = endings.try_confirming(ending, "agent_1", **{field: "0" * 64})
        assert code_of(answer) == "endings.confirmation-outdated"


@pytest.mark.parametrize("what", ["hold", "request"])
def test_a_destruction_during_a_hold_or_a_request(world, endings, newest, what) -> None:
    ending = endings.until_confirmable()
    if what == "hold":
        endings.hold("agent_3")
    else:
        world.request()
    for agent in ("agent_1", "agent_2"):
        assert endings.confirm(ending, agent)["state"] == "confirming"
    with pytest.raises((HoldStands, RequestOpen)):
        world.keyholder.destroy_agreement(ending)
    assert headers(world, newest) > 0


def test_a_destruction_is_requested_during_a_request(world, endings) -> None:
    from escrow.ground.digests import sha256_hex
    from escrow.testing.endings import WORDS

    world.request()
    answer = endings.try_act("vendor", "request-destruction", statement_sha256=sha256_hex(WORDS))
    assert code_of(answer) == "endings.request-open"


def test_the_grace_period_is_cut_short(world, endings, newest) -> None:
    """A portal whose clock runs ahead says that it ended; the keyholder has its own."""
    ending = endings.request_destruction()
    endings.act("beneficiary", "acknowledge-destruction", ending)
    forged(world, Step.END_GRACE, ending)
    for agent in ("agent_1", "agent_2"):
        endings.confirm(ending, agent)
    with pytest.raises(EndingTooEarly):
        world.keyholder.destroy_agreement(ending)
    assert headers(world, newest) > 0
