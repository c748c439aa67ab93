"""A panel: one action of each agent drills or re-shares many agreements, each with its own key."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from escrow.custody.answering import take_answer
from escrow.evidence.dsse import Envelope
from escrow.ground.identifiers import AgreementId
from escrow.operations.keyholder.renewing import Renewals
from escrow.testing.panels import PanelWorld
from escrow.vault import records as vault

ON_SQLITE_ALONE = True

# More than one piece of the keyholder's work.
AGREEMENTS = 27


@pytest.fixture
def panel(settled_release, tmp_path):
    """A world with some agreements of the same agents."""
    made = PanelWorld.copied(settled_release, tmp_path / "panel")
    try:
        made.add_agreements(AGREEMENTS - 1)
        yield made
    finally:
        made.close()


def epochs(world) -> list[int]:
    """Return the newest epoch of every agreement of the panel."""
    with world.database.reading() as session:
        ids = {one for one, _ in world.file_keys} | {world.agreement}
        rows = [vault.newest_epoch(session, AgreementId(one)) for one in sorted(ids)]
    return [row.epoch for row in rows if row is not None]


def test_one_answer_of_each_agent_drills_them_all(panel) -> None:
    listed = panel.do("GET", f"/agreements/{panel.agreement}/panel", "agent_1")["items"]
    assert len(listed) == AGREEMENTS
    panel.clock.moment += timedelta(days=30)
    drill = panel.begin_session("drill", panel=True)
    for agent in ("agent_1", "agent_2", "agent_3"):
        shown = panel.answer(drill, agent)
    assert (shown["state"], shown["agreements"]) == ("ended", AGREEMENTS)
    panel.clock.moment += timedelta(days=70)
    assert all(panel.custody(one)["overdue"] == [] for one in listed)


def test_a_re_sharing_that_was_killed_goes_on_with_what_is_not_done(panel, monkeypatch) -> None:
    held = panel.begin_session("reshare", panel=True)
    panel.answer(held, "agent_1")
    whole, seen = Renewals._execute, []

    def dies_once(self, session, row, kept, ready) -> None:
        seen.append(kept.place)
        if len(seen) == AGREEMENTS - 1:
            raise KeyboardInterrupt
        whole(self, session, row, kept, ready)

    monkeypatch.setattr(Renewals, "_execute", dies_once)
    # The portal has the answer; the keyholder dies in its second piece.
    body = panel.answer_body(held, "agent_2")
    envelope = Envelope.from_json(body["envelope"])
    with panel.database.writing() as session:
        document = base64.b64decode(body["document"])
        take_answer(session, held, envelope, document, panel.rooms.scribe, panel.clock)
    with pytest.raises(KeyboardInterrupt):
        panel.keyholder.settle_session(held)
    assert 0 < epochs(panel).count(2) < AGREEMENTS
    monkeypatch.setattr(Renewals, "_execute", whole)
    panel.keyholder.settle_session(held)
    assert epochs(panel) == [2] * AGREEMENTS
    with panel.database.reading() as session:
        dealt = [vault.epoch_of(session, AgreementId(one), 2) for one, _ in panel.file_keys]
    assert len({one.recipient for one in dealt if one is not None}) == AGREEMENTS - 1


def test_a_changed_header_of_one_agreement_does_not_hold_up_the_others(panel) -> None:
    held = panel.begin_session("reshare", panel=True)
    panel.answer(held, "agent_1")
    victim = min(one for one, _ in panel.file_keys)
    panel.ledger.tamper("UPDATE header_record SET commitment = 'f' WHERE agreement_id = ?", victim)
    assert panel.try_answering(held, "agent_3").json()["code"] == "vault.commitment-broken"
    assert sorted(epochs(panel)) == [1] + [2] * (AGREEMENTS - 1)
