"""The outbox: with the caller's transaction, once for each key, and in the ledger."""

from __future__ import annotations

from datetime import date

import pytest

from escrow.ground.digests import commitment
from escrow.notices import outbox
from escrow.notices.errors import (
    NoticeKeyTaken,
    NoticeNotFailed,
    NoticeUnknown,
    NoticeUnmailable,
)
from escrow.notices.notices import Kind, LastDay, Reader
from tests.rooms.notices.conftest import REQUEST, STATED, OutboxWorld


def test_a_notice_waits_and_is_due_at_once(world: OutboxWorld) -> None:
    row = world.row(world.post())
    assert outbox.state_of(row) == "waiting"
    assert row.next_attempt_at == row.posted_at == world.clock.now()
    assert outbox.notice_of(row) == STATED


def test_a_transaction_that_is_rolled_back_leaves_no_notice(world: OutboxWorld) -> None:
    with pytest.raises(RuntimeError), world.database.writing() as session:
        outbox.post(session, world.scribe, STATED, actor="mem_1", now=world.clock.now())
        raise RuntimeError
    assert world.send() == 0
    assert world.events() == []


def test_one_key_is_one_notice(world: OutboxWorld) -> None:
    first = world.post()
    assert world.post() == first
    assert world.event_types() == ["posted"]
    assert world.send() == 1


def test_what_was_said_first_stands(world: OutboxWorld) -> None:
    first = world.post()
    later = LastDay(date(2026, 2, 12), "GB-ENG")
    assert world.post(to="eve@acme.example", last_day=later) == first
    assert outbox.notice_of(world.row(first)) == STATED


@pytest.mark.parametrize(
    "change",
    [{"kind": Kind.CONSENT_GIVEN}, {"reader": Reader.AGENT}, {"request_id": "req_another"}],
    ids=str,
)
def test_a_key_of_another_notice_is_refused(world: OutboxWorld, change: dict[str, object]) -> None:
    world.post()
    with pytest.raises(NoticeKeyTaken):
        world.post(**change)


def test_the_ledger_has_the_notice_and_no_address(world: OutboxWorld) -> None:
    row = world.row(world.post())
    (recorded,) = world.events()
    assert recorded.event.type == "notices:notice:posted"
    assert recorded.event.actor == "mem_1"
    assert recorded.event.data == {
        "notice_id": row.id,
        "key": STATED.key,
        "kind": "service-stated",
        "reader": "vendor",
        "request_id": REQUEST,
        "address_commitment": commitment(row.salt, {"address": "ada@acme.example"}),
    }
    assert "acme" not in repr(recorded.event)


def test_commitments_to_one_address_do_not_tell_that_it_is_one(world: OutboxWorld) -> None:
    world.post_many("ada@acme.example", "ada@acme.example")
    told = {one.event.data["address_commitment"] for one in world.events()}
    assert len(told) == 2


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b.example\r\nBcc: eve@example.org", "á@b.example", f"a@{'b.' * 500}example"],
)
def test_an_address_for_no_mail_stops_nothing_and_is_shown(
    world: OutboxWorld, address: str
) -> None:
    notice_id = world.post(to=address)
    assert world.state(notice_id) == "failed"
    assert world.row(notice_id).answer == "unmailable"
    assert world.event_types() == ["posted", "failed"]
    assert world.send() == 0
    with pytest.raises(NoticeUnmailable):
        world.retry(notice_id)


def test_a_failed_notice_is_put_back_and_sent(world: OutboxWorld) -> None:
    notice_id = world.post()
    world.office.unknown = {"ada@acme.example"}
    world.send()
    world.office.unknown = set()
    world.retry(notice_id)
    assert world.send() == 1
    assert world.state(notice_id) == "sent"
    assert world.event_types() == ["posted", "failed", "retried", "sent"]


def test_only_what_failed_is_put_back(world: OutboxWorld) -> None:
    notice_id = world.post()
    with pytest.raises(NoticeNotFailed):
        world.retry(notice_id)
    world.send()
    with pytest.raises(NoticeNotFailed):
        world.retry(notice_id)


def test_a_notice_that_there_is_not_is_not_put_back(world: OutboxWorld) -> None:
    with pytest.raises(NoticeUnknown):
        world.retry("ntc_none")


def test_the_list_is_newest_first_in_pages(world: OutboxWorld, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "PAGE_NOTICES", 2)
    posted = sorted(world.post_many("a@b.example", "b@b.example", "c@b.example"), reverse=True)
    with world.database.reading() as session:
        first = [row.id for row in outbox.list_notices(session)]
        second = [row.id for row in outbox.list_notices(session, before=first[-1])]
    assert [*first, *second] == posted


def test_the_list_of_the_failed_leaves_out_the_others(world: OutboxWorld) -> None:
    world.office.unknown = {"b@b.example"}
    posted = world.post_many("a@b.example", "b@b.example")
    world.send()
    with world.database.reading() as session:
        failed = outbox.list_notices(session, only_failed=True)
    assert [row.id for row in failed] == posted[1:]
