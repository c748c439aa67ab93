"""The quarterly session asks for itself: when it is due, once, and of a panel together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from escrow.custody import records
from escrow.custody.scheduling import ASKED_AFTER, SCHEDULE, panels_due
from escrow.custody.sessions import ANSWERING_TIME
from escrow.ground.identifiers import AgreementId
from escrow.notices.records import NoticeRow
from escrow.register import records as register
from escrow.testing.panels import PanelWorld
from escrow.vault import records as vault

DAY = timedelta(days=1)


def keep_up(world) -> None:
    """Do twice what the portal's upkeep does in two hours."""
    for _ in range(2):
        world.rooms.custody.ask_what_is_due()
        assert world.rooms.custody.push_all_on() == []


def asked(world) -> list[records.SessionRow]:
    """Return every session, oldest first; asked of the room, since tokens expire sooner."""
    with world.database.reading() as session:
        return list(session.exec(select(records.SessionRow).order_by(records.SessionRow.id)))


def mails(world) -> list[str]:
    with world.database.reading() as session:
        rows = session.exec(select(NoticeRow)).all()
        return [one.kind for one in rows if one.kind.startswith("custody")]


def due(world) -> list[list[AgreementId]]:
    with world.database.reading() as session:
        return [list(one) for one in panels_due(session, world.clock.now())]


def backdate(world, agreement: str, days: int) -> None:
    """Let a key have been dealt some days earlier."""
    with world.database.writing() as session:
        epoch = vault.counting_epoch(session, AgreementId(agreement))
        epoch.dealt_at -= timedelta(days=days)
        vault.add(session, epoch)


def test_nobody_is_asked_before_the_quarter_draws_to_its_end(world) -> None:
    world.clock.moment += ASKED_AFTER - DAY
    keep_up(world)
    assert asked(world) == []


def test_the_agents_are_asked_once_and_are_done_before_anybody_is_overdue(world) -> None:
    assert world.custody()["session_open"] is None
    backdate(world, world.agreement, ASKED_AFTER.days)
    keep_up(world)
    [session] = asked(world)
    assert (session.purpose, session.asked_by) == ("session", SCHEDULE)
    assert session.entry_sha256 is not None
    assert mails(world) == ["custody-session-open"] * 3
    assert world.custody()["session_open"] == session.id
    for agent in ("agent_1", "agent_2", "agent_3"):
        shown = world.answer(session.id, agent)
    assert (shown["state"], shown["done"]) == ("ended", 1)
    assert "custody-due" not in mails(world)
    # The new key waits for its canary, and is a quarter's work once that is open.
    assert due(world) == []
    world.open_canary(world.agreement)
    keep_up(world)
    assert len(asked(world)) == 1


def test_a_session_that_ran_out_is_asked_for_again(world) -> None:
    world.clock.moment += ASKED_AFTER
    keep_up(world)
    world.clock.moment += ANSWERING_TIME
    world.keyholder.custody.close_overdue()
    keep_up(world)
    first, second = asked(world)
    assert (first.ended_at is None, second.ended_at is None) == (False, True)


def test_two_portals_ask_once(world, monkeypatch) -> None:
    world.clock.moment += ASKED_AFTER
    driver, looked = world.rooms.custody, []

    def looked_at_once(session, now):
        found = panels_due(session, now)
        if not looked:
            looked.append(found)
            driver.ask_what_is_due()
        return found

    monkeypatch.setattr("escrow.custody.driving.panels_due", looked_at_once)
    driver.ask_what_is_due()
    assert looked == [[[world.agreement]]]
    assert len(asked(world)) == 1


def test_a_session_that_people_asked_for_is_enough_and_a_drill_is_not(world) -> None:
    backdate(world, world.agreement, ASKED_AFTER.days)
    world.begin_session("drill")
    assert due(world) == [[world.agreement]]
    world.begin_session("reshare")
    assert due(world) == []


def test_an_agreement_that_ended_is_asked_nothing(world) -> None:
    world.clock.moment += ASKED_AFTER
    assert due(world) == [[world.agreement]]
    with world.database.writing() as session:
        register.add(
            session,
            register.AgreementEndRow(
                agreement_id=world.agreement, ending_id="end_1", ended_at=world.clock.now()
            ),
        )
    assert due(world) == []


@pytest.fixture
def panel(settled_release, tmp_path):
    """A world with three agreements of the same agents."""
    made = PanelWorld.copied(settled_release, tmp_path / "panel")
    try:
        made.add_agreements(2)
        yield made
    finally:
        made.close()


def test_a_panel_is_asked_together_though_its_keys_are_of_different_days(panel) -> None:
    first, second = sorted(one for one, _ in panel.file_keys)
    backdate(panel, second, ASKED_AFTER.days)
    backdate(panel, first, ASKED_AFTER.days - 29)
    assert due(panel) == [[second, first]]
    keep_up(panel)
    assert [one.purpose for one in asked(panel)] == ["session"]
    assert mails(panel) == ["custody-session-open"] * 3
