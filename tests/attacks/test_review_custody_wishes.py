"""A question to the agents that cannot be opened: it must keep nobody else from being asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from escrow.custody import records
from escrow.custody.scheduling import ASKED_AFTER
from escrow.ground.identifiers import AgreementId
from escrow.testing.panels import PanelWorld
from escrow.vault import records as vault


@pytest.fixture
def panel(settled_release, tmp_path):
    """A world with three agreements of the same agents, whose keys are due to be renewed."""
    made = PanelWorld.copied(settled_release, tmp_path / "panel")
    try:
        made.add_agreements(2)
        for one in agreements(made):
            with made.database.writing() as session:
                epoch = vault.counting_epoch(session, AgreementId(one))
                assert epoch is not None
                epoch.dealt_at -= timedelta(days=ASKED_AFTER.days)
                vault.add(session, epoch)
        yield made
    finally:
        made.close()


def agreements(world) -> list[str]:
    return sorted({one for one, _ in world.file_keys} | {world.agreement})


def open_for(world) -> list[list[str]]:
    """Return the agreements of each session that the agents are asked in."""
    with world.database.reading() as session:
        rows = session.exec(select(records.SessionRow)).all()
        return [
            sorted(item.agreement_id for item in records.items_of(session, one.id))
            for one in rows
            if one.entry_sha256 is not None and one.ended_at is None
        ]


def test_one_waiting_canary_keeps_no_panel_from_its_quarterly_session(panel) -> None:
    """One agent has a key dealt for one agreement, and asks for all of them together."""
    panel.keyholder.hold_ceremony(panel.agreement)
    with pytest.raises(ValueError, match="canary"):
        panel.begin_session("session", panel=True)
    panel.rooms.custody.ask_what_is_due()
    assert panel.rooms.custody.push_all_on() == []
    assert open_for(panel) == [[one for one in agreements(panel) if one != panel.agreement]]


def test_a_key_dealt_between_question_and_opening_stops_only_its_own_agreement(panel) -> None:
    panel.rooms.custody.ask_what_is_due()
    panel.keyholder.hold_ceremony(panel.agreement)
    panel.rooms.custody.push_all_on()
    panel.rooms.custody.ask_what_is_due()
    assert panel.rooms.custody.push_all_on() == []
    assert open_for(panel) == [[one for one in agreements(panel) if one != panel.agreement]]


def test_a_key_whose_shares_were_deleted_stops_only_its_own_agreement(panel) -> None:
    with panel.database.writing() as session:
        for one in vault.shares_of(session, AgreementId(panel.agreement), 1):
            session.delete(one)
    panel.rooms.custody.ask_what_is_due()
    assert panel.rooms.custody.push_all_on() == []
    assert open_for(panel) == [[one for one in agreements(panel) if one != panel.agreement]]
