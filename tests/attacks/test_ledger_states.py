"""Somebody who owns the database writes states: each is found by its row, through its events."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from escrow.evidence.snapshots import VOUCH_ACT, vouch_subject
from escrow.evidence.statements import Stamp
from escrow.ground.database import every_row
from escrow.ledger.appending import Scribe
from escrow.ledger.comparing import compare_states
from escrow.ledger.errors import (
    EventWithoutState,
    LedgerBroken,
    StateContradictsEvent,
    StateWithoutEvent,
)
from escrow.operations.comparers import COMPARERS
from escrow.parties.records import Member
from escrow.testing.custody import CustodyWorld
from escrow.testing.ledgers import named_key
from escrow.verification.missing.watch import Watch

ON_SQLITE_ALONE = True


@pytest.fixture(scope="module")
def whole(settled_release, tmp_path_factory):
    """One world through everything: a deposit, sessions of the agents, a request, a release."""
    made = CustodyWorld.copied(settled_release, tmp_path_factory.mktemp("whole") / "world")
    subject = vouch_subject(made.agreement, made.rooms.trust_root.sha256())
    body = made.signed("agent_1", VOUCH_ACT, subject)
    made.do("POST", f"/agreements/{made.agreement}/acts", "agent_1", json=body)
    made.answer(made.begin_session("drill"), "agent_1")
    held = made.begin_session("session")
    for agent in ("agent_1", "agent_2", "agent_3"):
        made.answer(held, agent)
    request = made.request()
    made.act_on(request, "vendor", "consent-to-release")
    made.confirm(request, "agent_1")
    made.confirm(request, "agent_2")
    with made.database.reading() as session:
        member = next(every_row(session, Member)).id
    key = {"signing_key": str(named_key("somebody").public)}
    made.do("POST", f"/members/{member}/keys", "operator", json=key)
    _carry_a_part(made)
    _miss_a_deposit(made)
    yield made
    made.close()


def _carry_a_part(made: CustodyWorld) -> None:
    """Deposit a second part; the next deposit, of source alone, carries it forward."""
    draft = made.draft()
    made.upload(draft, "docs/handbook", "file", b"how to run it")
    made.do("POST", f"/deposits/{draft}/finish", "vendor")
    made.deposit()


def _miss_a_deposit(made: CustodyWorld) -> None:
    made.clock.moment += timedelta(days=3 * 365)
    stamp = Stamp("Trial Escrow", "production", "0.1")
    worker = made.ledger.key("worker")
    watch = Watch(made.database, Scribe("worker", worker, made.clock), worker, stamp, made.clock)
    assert watch.look() > 0


def differences(world) -> list[LedgerBroken]:
    with world.database.reading() as session:
        return compare_states(session, COMPARERS)


def tampered(world, *statements: str) -> list[LedgerBroken]:
    """Return what is found after each change was made, and undo it."""
    path = world.ledger.folder / "ledger.db"
    before = sqlite3.connect(path)
    copy = sqlite3.connect(":memory:")
    before.backup(copy)
    try:
        for statement in ("PRAGMA foreign_keys = OFF", *statements):
            world.ledger.tamper(statement)
        return differences(world)
    finally:
        copy.backup(before)
        before.close()
        copy.close()


def test_a_world_in_which_everything_happened_fits(whole) -> None:
    assert differences(whole) == []
    told: list[str] = []
    with whole.database.reading() as session:
        compare_states(session, COMPARERS, told.append)
    assert told == [one.what for one in COMPARERS]


# Table, what is changed in one row of it, and the name that the row is found by.
CHANGED = [
    ("member", "removed_at = '2026-01-01 00:00:00.000000'", "id"),
    ("member_key", "public_key_sha256 = 'abc'", "id"),
    ("token", "verbs = '[\"admin\"]'", "id"),
    ("token", "expires_at = '2099-01-01 00:00:00.000000'", "id"),
    ("product", "organisation_id = 'org_other'", "id"),
    ("deposit", "number = 99", "id"),
    ("part", "payload_sha256 = 'abc'", "id"),
    ("part", "carried_from = 'prt_other'", "id"),
    ("agreement_version", "k = 1", "agreement_id"),
    ("agreement_version", "in_force_at = NULL", "agreement_id"),
    ("acceptance", "role = 'auditor'", "act_sha256"),
    ("recipient_canary", "act_sha256 = NULL", "id"),
    ("canary_opening", "epoch = 9", "act_sha256"),
    ("sealing_epoch", "k = 1", "agreement_id"),
    ("header_record", "commitment = 'abc'", "part_id"),
    ("report", "verdict = 'FAIL'", "statement_sha256"),
    ("trust_root_vouch", "trust_root_sha256 = 'abc'", "act_sha256"),
    ("trust_root_vouch", "envelope_json = '{}'", "act_sha256"),
    ("missing_deposit", "product_id = 'prd_other'", "statement_sha256"),
    ("custody_session", "recipient = 'age1other'", "id"),
    ("custody_session", "nonce = 'abc'", "id"),
    ("custody_answer", "session_id = 'ses_other'", "act_sha256"),
    ("custody_liveness", "live_at = '2099-01-01 00:00:00.000000'", "agreement_id"),
    ("custody_reopening", "product_id = 'prd_other'", "deposit_id"),
    ("release_request", "state = 'objected'", "id"),
    ("release_certificate", "statement_sha256 = 'abc'", "request_id"),
]


@pytest.mark.parametrize(("table", "change", "name"), CHANGED)
def test_a_state_is_changed(whole, table, change, name) -> None:
    with whole.database.reading() as session:
        row = session.connection().exec_driver_sql(f"SELECT {name}, rowid FROM {table} LIMIT 1")
        value, rowid = row.first()
    found = tampered(whole, f"UPDATE {table} SET {change} WHERE rowid = {rowid}")
    assert {type(one) for one in found} == {StateContradictsEvent}
    assert all(str(value) in one.reason for one in found)


@pytest.mark.parametrize("table", sorted({one.what for one in COMPARERS}))
def test_a_row_is_taken_away(whole, table) -> None:
    found = tampered(whole, f"DELETE FROM {table}")
    assert EventWithoutState in {type(one) for one in found}
    assert any(one.reason.startswith(f"{table} ") for one in found)


# Columns that have to differ from those of the row that is copied.
FRESH = {
    "slug": "slug || 'x'",
    "email": "email || 'x'",
    "number": "number + 900",
    "public_key_sha256": "public_key_sha256 || 'x'",
}


@pytest.mark.parametrize(
    "table", ["organisation", "member", "member_key", "token", "deposit", "header_record"]
)
def test_a_row_is_put_in(whole, table) -> None:
    key = "part_id" if table == "header_record" else "id"
    columns = _columns(whole, table)
    values = [f"'{table}_forged'" if one == key else FRESH.get(one, one) for one in columns]
    into = f"INSERT INTO {table} ({', '.join(columns)})"
    found = tampered(whole, f"{into} SELECT {', '.join(values)} FROM {table} LIMIT 1")
    assert {type(one) for one in found} == {StateWithoutEvent}
    assert f"{table}_forged" in found[0].reason


def _columns(world, table: str) -> list[str]:
    with world.database.reading() as session:
        rows = session.connection().exec_driver_sql(f"PRAGMA table_info({table})")
        return [f'"{row[1]}"' if row[1] in ("lock",) else row[1] for row in rows]
