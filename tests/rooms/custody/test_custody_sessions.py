"""Drills, quarterly sessions and re-sharing, as the agents' clients and the keyholder do them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

from sqlmodel import select

from escrow.custody import records
from escrow.custody.standing import GRACE, TERM
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.notices.records import NoticeRow
from escrow.vault import records as vault
from escrow.vault.releasing import newest_agents_records
from escrow.verification import records as verification


def test_a_drill_shows_who_holds_his_share(world) -> None:
    world.clock.moment += timedelta(days=60)
    drill = world.begin_session("drill")
    world.answer(drill, "agent_1")
    assert world.answer(drill, "agent_3")["state"] == "open"
    world.clock.moment += timedelta(days=40)
    shown = world.custody()
    assert (shown["live"], shown["overdue"], shown["standing"]) == ([1, 2, 3], [2], "sound")


def test_a_drill_that_all_answered_is_over_and_opens_nothing(world) -> None:
    drill = world.begin_session("drill")
    for agent in ("agent_1", "agent_2", "agent_3"):
        shown = world.answer(drill, agent)
    assert (shown["state"], shown["done"], shown["reopened"]) == ("ended", 0, [])
    assert world.try_answering(drill, "agent_1").json()["code"] == "custody.session-over"
    with world.database.reading() as session:
        row = records.session_by_id(session, drill)
        assert row is not None and row.recipient is None
        epoch = vault.newest_epoch(session, AgreementId(world.agreement))
        assert epoch is not None and (epoch.epoch, epoch.burnt_at) == (1, None)


def test_whoever_stays_silent_past_the_grace_counts_as_lost(world) -> None:
    drill = world.begin_session("drill")
    world.clock.moment += TERM - timedelta(days=80)
    world.answer(drill, "agent_1")
    world.clock.moment += GRACE + timedelta(days=79)
    assert world.custody()["standing"] == "sound"
    world.clock.moment += timedelta(days=2)
    shown = world.custody()
    assert (shown["live"], shown["standing"]) == ([1], "custody-impaired")


def test_the_quarterly_session_does_its_three_jobs(world) -> None:
    with world.database.reading() as session:
        before = vault.headers_of_agreement(session, AgreementId(world.agreement))
    held = world.begin_session("session")
    for agent in ("agent_1", "agent_2", "agent_3"):
        shown = world.answer(held, agent)
    # liveness of all three, a real header opened, and a new epoch for everything retained
    assert (shown["state"], shown["done"]) == ("ended", 1)
    [deposit] = shown["reopened"]
    assert f"verify-{deposit}-{held}" in world.jobs.keys
    with world.database.reading() as session:
        after = vault.headers_of_agreement(session, AgreementId(world.agreement))
        old, fresh = (newest_agents_records(after, frozenset({one})) for one in (1, 2))
        assert old.keys() == fresh.keys() and len(after) == len(before) + len(fresh)
        assert vault.epoch_of(session, AgreementId(world.agreement), 1).burnt_at is not None
    assert world.custody()["canary_waits"] is True
    # the re-verification: a second round, with the keys that the session gave the worker
    world.verify(deposit)
    with world.database.reading() as session:
        newest = verification.newest_examination(session, DepositId(deposit))
        assert newest is not None and (newest.round, newest.verdict) == (2, "pass")
        assert records.reopening_of(session, DepositId(deposit)) is None
    # and the canary of the new epoch is opened outside the keyholder before it counts
    world.open_canary(world.agreement)
    shown = world.custody()
    assert (shown["epoch"], shown["canary_waits"], shown["burnt"]) == (2, False, False)


def test_a_release_opens_with_the_shares_of_the_epoch_after_a_session(world) -> None:
    held = world.begin_session("session")
    for agent in ("agent_1", "agent_2", "agent_3"):
        world.answer(held, agent)
    world.open_canary(world.agreement)
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    assert world.confirm(request, "agent_3")["state"] == "released"


def test_k_agents_suffice_when_the_third_is_gone(world) -> None:
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    refused = world.ask("POST", f"/custody/sessions/{held}/carry-out", "agent_1")
    assert refused.json()["code"] == "custody.too-few-shares"
    world.answer(held, "agent_2")
    done = world.do("POST", f"/custody/sessions/{held}/carry-out", "agent_1")
    assert (done["state"], done["answers"]) == ("ended", 2)


def test_an_agent_is_asked_reminded_and_told_of_the_new_key(world) -> None:
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    world.clock.moment += timedelta(days=12)
    assert world.rooms.custody.push_all_on() == []
    world.answer(held, "agent_2")
    world.do("POST", f"/custody/sessions/{held}/carry-out", "agent_1")
    sent = [one["kind"] for one in world.do("GET", "/notices", "operator")["items"]]
    assert (sent.count("custody-session-open"), sent.count("ceremony-needed")) == (5, 3)


def told(world) -> set[tuple[str, str]]:
    """Return kind and reader of every notice; asked of the room, since tokens expire sooner."""
    with world.database.reading() as session:
        return {(one.kind, one.reader) for one in session.exec(select(NoticeRow))}


def test_a_due_session_and_a_shrinking_custody_are_told_once(world) -> None:
    world.rooms.custody.tell_of_all()
    assert told(world) == set()
    world.clock.moment += TERM - timedelta(days=30)
    drill = world.begin_session("drill")
    world.answer(drill, "agent_1")
    world.answer(drill, "agent_2")
    world.clock.moment += timedelta(days=31)
    for _ in range(2):
        world.rooms.custody.tell_of_all()
    assert ("custody-due", "agent") in told(world)
    assert ("custody-alarm", "vendor") not in told(world)
    # two of three are left: one more loss and nothing opens
    world.clock.moment += GRACE
    world.rooms.custody.tell_of_all()
    assert {("custody-alarm", reader) for reader in ("agent", "vendor", "beneficiary")} < told(
        world
    )
    world.clock.moment += TERM
    world.rooms.custody.tell_of_all()
    assert ("custody-impaired", "vendor") in told(world)


def test_receipt_and_status_say_that_custody_is_impaired(world) -> None:
    world.clock.moment += timedelta(days=80)
    plain = world.do("GET", f"/agreements/{world.agreement}/status", "vendor")
    assert plain["custody"]["standing"] == "sound"
    with world.database.writing() as session:
        # As if they had been dealt long ago, and nobody had been seen since.
        epoch = vault.counting_epoch(session, AgreementId(world.agreement))
        epoch.dealt_at -= timedelta(days=100)
        vault.add(session, epoch)
    shown = world.do("GET", f"/agreements/{world.agreement}/status", "vendor")
    assert shown["custody"]["standing"] == "custody-impaired"
    assert shown["products"][0]["custody_impaired"] is True
    receipt = world.do("GET", f"/deposits/{world.deposit()}/receipt", "vendor")
    [agreement] = predicate_of(receipt)["agreements"]
    assert agreement["agents"] == {"standing": "custody-impaired", "live": 0, "concentrated": {}}


def predicate_of(document) -> dict:
    """Return the predicate of a signed document."""
    envelope = document["bundle"]["dsseEnvelope"]
    return json.loads(base64.b64decode(envelope["payload"]))["predicate"]
