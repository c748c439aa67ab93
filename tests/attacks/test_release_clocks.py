"""Somebody moves a clock, silences whom he can, or puts everything back."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escrow.ground.identifiers import RequestId
from escrow.ledger.checkpoints import sign_checkpoint, verify_checkpoint
from escrow.ledger.errors import (
    InclusionWrong,
    NotWitnessed,
    RolledBack,
    WitnessAhead,
    WitnessRefuses,
)
from escrow.releases.errors import ClocksTooFew, NotApproved, ObjectionStands
from tests.attacks.watched import WatchedWorld, reopened

ON_SQLITE_ALONE = True

# Served on Friday 2 January; the vendor's silence would approve from here on.
LAST_DAY_ENDS = datetime(2026, 1, 17, 12, tzinfo=UTC)


@pytest.fixture
def world(watched_world: WatchedWorld) -> WatchedWorld:
    return watched_world


@pytest.fixture
def served(world) -> str:
    """A request whose service upon the vendor is proven."""
    request = world.request()
    assert world.serve(request, "2026-01-02").is_success
    world.collect()
    return request


def state(world, request: str) -> str:
    world.rooms.driver.push_all_on()
    return str(world.do("GET", f"/requests/{request}", "beneficiary")["state"])


def confirmed_by_all_needed(world, request: str) -> None:
    world.confirm(request, "agent_1")
    world.confirm(request, "agent_2")


def test_with_every_clock_past_the_end_silence_approves_and_the_certificate_says_which(
    world, served
) -> None:
    world.time_passes(LAST_DAY_ENDS + timedelta(minutes=1))
    assert state(world, served) == "confirming"
    confirmed_by_all_needed(world, served)
    assert state(world, served) == "executing"
    world.collect()
    assert state(world, served) == "released"
    release = world.do("GET", f"/requests/{served}/release", "beneficiary")
    payload = release["certificate"]["bundle"]["dsseEnvelope"]["payload"]
    clocks = json.loads(base64.b64decode(payload))["predicate"]["approval"]["clocks"]
    assert clocks.startswith("the smallest of wall clock") and "quorum" in clocks


def test_the_operator_sets_the_wall_clock_forward(world, served) -> None:
    world.clock.moment = LAST_DAY_ENDS + timedelta(days=30)
    world.collect()
    assert state(world, served) == "approved"
    with pytest.raises(NotApproved):
        world.keyholder.open_confirmation(RequestId(served))


def test_the_operator_and_a_timestamp_authority_set_their_clocks_forward(world, served) -> None:
    forward = LAST_DAY_ENDS + timedelta(hours=20)
    world.clock.moment = world.authority_clock.moment = forward
    world.honest.moment = LAST_DAY_ENDS - timedelta(minutes=1)
    world.ledger.append()
    world.ledger.sequence()
    world.collect()
    with pytest.raises(NotApproved):
        world.keyholder.open_confirmation(RequestId(served))


def test_the_operator_sets_his_clock_forward_and_withholds_every_outside_word(
    world, served
) -> None:
    world.clock.moment = LAST_DAY_ENDS + timedelta(days=30)
    world.ledger.tamper("DELETE FROM ledger_cosignature")
    world.ledger.tamper("DELETE FROM ledger_timestamp")
    with pytest.raises(ClocksTooFew):
        world.keyholder.open_confirmation(RequestId(served))


def test_a_silent_authority_is_left_out_by_an_event_and_two_remain(world, served) -> None:
    world.authority.is_silent = True
    world.time_passes(LAST_DAY_ENDS + timedelta(minutes=1))
    assert state(world, served) == "confirming"
    with world.database.reading() as session:
        events = session.connection().exec_driver_sql(
            "SELECT count(*) FROM ledger_entry WHERE type = 'releases:clock:left-out'"
        )
        assert events.scalar() == 1


def test_a_timely_objection_that_the_portal_dates_late_still_stands(world, served) -> None:
    # The portal's clock alone runs ahead, so the ledger's entry has a time after the end.
    world.clock.moment = LAST_DAY_ENDS + timedelta(days=2)
    assert state(world, served) == "approved"
    world.instruct_otherwise(served)
    world.time_passes(LAST_DAY_ENDS + timedelta(days=3))
    with pytest.raises(ObjectionStands):
        world.keyholder.open_confirmation(RequestId(served))


def test_witnesses_who_have_not_seen_the_intent_hold_the_release_up(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for one in world.witnesses:
        one.is_silent = True
    confirmed_by_all_needed(world, request)
    assert set(world.collect()) == {"one", "two"}
    assert state(world, request) == "executing"
    with pytest.raises(NotWitnessed):
        world.keyholder.execute_release(RequestId(request))
    world.witnesses[0].is_silent = False
    world.collect()
    # One of two is no quorum.
    assert state(world, request) == "executing"
    world.witnesses[1].is_silent = False
    world.collect()
    assert state(world, request) == "released"


def test_database_and_keyholders_disk_are_both_put_back_to_before_an_objection(
    world, tmp_path
) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    world.collect()
    kept, folder = tmp_path / "kept", world.ledger.folder
    world.close()
    shutil.copytree(folder, kept)
    # The vendor takes his consent back, and the witnesses see that.
    onwards = reopened(world, folder)
    assert onwards.instruct_otherwise(request).is_success
    onwards.collect()
    onwards.close()
    words = _words(folder)
    # All of it is put back, the keyholder's own files with it.
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    back = reopened(onwards, folder)
    back.confirm(request, "agent_2")
    problems = back.collect()
    assert {type(one) for one in problems.values()} <= {WitnessAhead, WitnessRefuses}
    assert set(problems) == {"one", "two"}
    with pytest.raises(NotWitnessed):
        back.keyholder.execute_release(RequestId(request))
    # Words of the other history, put in by hand below a longer tree, are of no use either.
    for _ in range(20):
        back.ledger.append()
        back.ledger.sequence()
    for size, note, at, key, timestamp, signature in words:
        back.ledger.tamper("DELETE FROM ledger_checkpoint WHERE tree_size = ?", size)
        back.ledger.tamper("INSERT INTO ledger_checkpoint VALUES (?, ?, ?)", size, note, at)
        back.ledger.tamper(
            "INSERT OR IGNORE INTO ledger_cosignature VALUES (?, ?, ?, ?)",
            size,
            key,
            timestamp,
            signature,
        )
    with pytest.raises((NotWitnessed, InclusionWrong)):
        back.keyholder.execute_release(RequestId(request))
    assert back.ask("GET", f"/requests/{request}/release", "beneficiary").is_error
    back.close()


def test_the_own_disk_remembers_what_witnesses_cosigned(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.collect()
    # Asked anything about the request, the keyholder keeps the words that it finds.
    world.keyholder.open_confirmation(RequestId(request))
    outside = world.keyholder._on.outside
    cosigned = verify_checkpoint(json.loads(outside.memory.read_text())["note"], world.log_key)
    assert cosigned.tree_size == world.witnesses[0].seen.tree_size
    # Database and last checkpoint of an older day, but the newer file of cosigned words.
    older = sign_checkpoint(cosigned.tree_size + 500, bytes(32), world.ledger.key("log"))
    outside.memory.write_text(json.dumps({"format": "escrow-last-witnessed/1", "note": older.note}))
    with pytest.raises(RolledBack):
        world.keyholder.execute_release(RequestId(request))


def _words(folder: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "ledger.db")
    rows = connection.execute(
        "SELECT c.tree_size, note, signed_at, key, timestamp, signature FROM ledger_cosignature c"
        " JOIN ledger_checkpoint p ON p.tree_size = c.tree_size ORDER BY c.tree_size DESC LIMIT 2"
    ).fetchall()
    connection.close()
    return rows
