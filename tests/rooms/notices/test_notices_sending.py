"""The sender: at least once, never in the way of another, and never for ever."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session

from escrow.ledger.appending import Scribe
from escrow.ledger.errors import StreamBusy
from escrow.notices.delivery import GIVE_UP_AFTER, LEASE, LONGEST_PAUSE
from escrow.testing.mail import Killed
from tests.rooms.notices.conftest import LETTERHEAD, OutboxWorld

A_MINUTE = timedelta(minutes=1)


def test_what_is_due_is_sent_once_and_logged(world: OutboxWorld) -> None:
    notice_id = world.post()
    assert world.send() == 1
    assert world.send(after=timedelta(days=30)) == 0
    row = world.row(notice_id)
    assert (row.attempts, row.answer, row.next_attempt_at) == (1, "250 2.0.0", None)
    assert world.office.asked == 1
    sent = world.events()[-1].event
    assert (sent.type, sent.actor, sent.role) == ("notices:notice:sent", "outbox", "worker")
    assert sent.data == {"notice_id": notice_id, "attempts": 1, "answer": ["250", "2.0.0"]}


def test_killed_between_send_and_record_is_sent_again_under_the_same_message_id(
    world: OutboxWorld,
) -> None:
    notice_id = world.post()
    world.office.kills_after = True
    with pytest.raises(Killed):
        world.send()
    assert world.state(notice_id) == "waiting"

    world.office.kills_after = False
    world.sender = world.new_sender()
    assert world.send(after=LEASE - A_MINUTE) == 0, "the lease of the dead is kept"
    assert world.send(after=A_MINUTE) == 1
    first, second = world.office.letters
    assert first == second, "the repetition is the same mail, byte for byte"
    assert world.event_types() == ["posted", "sent"]


def test_killed_then_other_settings_the_message_id_stays(world: OutboxWorld) -> None:
    world.post()
    world.office.kills_after = True
    with pytest.raises(Killed):
        world.send()
    world.office.kills_after = False
    head = replace(LETTERHEAD, sender="notices@other.example")
    world.sender = replace(world.sender, letterhead=head)
    world.send(after=LEASE)
    first, second = world.office.messages()
    assert first["Message-ID"] == second["Message-ID"]


def test_killed_before_sending_it_is_sent_when_the_lease_ends(
    world: OutboxWorld, monkeypatch
) -> None:
    notice_id = world.post()

    def die(_: object) -> None:
        raise Killed

    monkeypatch.setattr(world.office, "deliver", die)
    with pytest.raises(Killed):
        world.send()
    monkeypatch.undo()
    assert world.send(after=LEASE) == 1
    assert world.row(notice_id).attempts == 2


def test_two_senders_do_not_send_one_notice_twice(world: OutboxWorld) -> None:
    world.post()
    other, seen = world.new_sender(), []
    deliver = world.office.deliver

    def while_the_first_sends(letter: object) -> object:
        seen.append(other.send_due())
        return deliver(letter)

    world.office.deliver = while_the_first_sends
    assert world.send() == 1
    assert seen == [0]
    assert len(world.office.letters) == 1


def test_a_busy_server_is_asked_again_with_growing_pauses(world: OutboxWorld) -> None:
    notice_id = world.post()
    world.office.is_busy = True
    asked_after = []
    for minute in range(16):
        before = world.office.asked
        world.send(after=A_MINUTE if minute else timedelta())
        if world.office.asked > before:
            asked_after.append(minute)
    assert asked_after == [0, 1, 3, 7, 15]
    assert world.row(notice_id).answer == "451 4.3.2"
    world.office.is_busy = False
    assert world.send(after=LONGEST_PAUSE) == 1
    assert world.event_types() == ["posted", "sent"]


def test_a_server_that_is_away_is_asked_once_a_round_and_gets_all_when_it_is_back(
    world: OutboxWorld,
) -> None:
    world.post_many("a@b.example", "b@b.example", "c@b.example")
    world.office.is_away = True
    assert world.send() == 0
    assert world.office.asked == 1
    world.office.is_away = False
    assert world.send() == 2
    assert world.send(after=A_MINUTE) == 1


def test_no_notice_blocks_another(world: OutboxWorld) -> None:
    world.office.unknown = {"b@b.example"}
    first, second, third = world.post_many("a@b.example", "b@b.example", "c@b.example")
    assert world.send() == 2
    assert [world.state(one) for one in (first, second, third)] == ["sent", "failed", "sent"]


def test_a_letter_that_breaks_the_server_does_not_keep_the_others_for_ever(
    world: OutboxWorld, monkeypatch
) -> None:
    _, second, _ = world.post_many("bad@b.example", "b@b.example", "c@b.example")
    deliver = world.office.deliver

    def breaks(letter) -> object:
        world.office.is_away = letter.recipient == "bad@b.example"
        return deliver(letter)

    monkeypatch.setattr(world.office, "deliver", breaks)
    world.send()
    world.send()
    assert world.state(second) == "sent"
    assert len(world.office.letters) == 2


def test_a_row_that_nobody_can_make_a_letter_of_stops_no_other(world: OutboxWorld) -> None:
    odd, good = world.post_many("a@b.example", "b@b.example")
    world.ledger.tamper("UPDATE notice SET kind = 'of-a-newer-version' WHERE id = ?", odd)
    assert world.send() == 1
    assert (world.state(odd), world.state(good)) == ("waiting", "sent")
    assert world.row(odd).answer == "no-letter"


def test_a_refused_address_is_failed_at_once_and_said(world: OutboxWorld, caplog) -> None:
    notice_id = world.post()
    world.office.unknown = {"ada@acme.example"}
    with caplog.at_level(logging.ERROR):
        world.send()
    assert world.state(notice_id) == "failed"
    failed = world.events()[-1].event
    assert failed.type == "notices:notice:failed"
    assert failed.data == {"notice_id": notice_id, "attempts": 1, "answer": ["550", "5.1.1"]}
    assert notice_id in caplog.text
    assert "acme.example" not in caplog.text
    assert world.send(after=timedelta(days=1)) == 0


def test_it_gives_up_after_the_named_time_and_says_so(world: OutboxWorld, caplog) -> None:
    notice_id, began = world.post(), world.clock.now()
    world.office.is_busy = True
    with caplog.at_level(logging.ERROR):
        while world.state(notice_id) == "waiting":
            world.send(after=timedelta(hours=1))
    waited = world.clock.now() - began
    assert GIVE_UP_AFTER <= waited <= GIVE_UP_AFTER + LONGEST_PAUSE + timedelta(hours=1)
    assert "is given up" in caplog.text
    assert world.event_types() == ["posted", "failed"]


def test_a_notice_that_nobody_tried_is_not_given_up(world: OutboxWorld) -> None:
    world.post()
    assert world.send(after=GIVE_UP_AFTER * 10) == 1


def test_the_agreements_stream_being_taken_does_not_send_twice(
    world: OutboxWorld, monkeypatch
) -> None:
    notice_id = world.post()
    append, taken = Scribe.append, []

    def busy_at_first(self: Scribe, session: Session, event: object) -> object:
        if len(taken) < 3:
            taken.append(event)
            raise StreamBusy("agreement/agr_1")
        return append(self, session, event)

    monkeypatch.setattr(Scribe, "append", busy_at_first)
    assert world.send() == 1
    assert world.state(notice_id) == "sent"
    assert len(world.office.letters) == 1
    assert world.event_types() == ["posted", "sent"]


def test_told_to_stop_it_leaves_what_is_due(world: OutboxWorld) -> None:
    world.post_many("a@b.example", "b@b.example")
    assert world.sender.send_due(lambda: bool(world.office.letters)) == 1
    assert world.send() == 1
