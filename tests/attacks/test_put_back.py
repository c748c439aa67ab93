"""Database and keyholder's disk are put back together before something that cannot be undone.

Nothing inside shows it: the older history is whole and signed. Witnesses have seen the newer one,
and cosign no intent on the older; so it is intended, and nothing comes of it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from escrow.custody import records as custody
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.checkpoints import sign_checkpoint, verify_checkpoint
from escrow.ledger.errors import NotWitnessed, RolledBack
from escrow.testing.endings import Endings
from escrow.vault import records as vault
from escrow.vault.lasting_headers import key_id_of
from tests.attacks.watched import WatchedWorld, reopened

ON_SQLITE_ALONE = True

AGENTS = ("agent_1", "agent_2", "agent_3")


@pytest.fixture
def world(watched_world: WatchedWorld) -> WatchedWorld:
    return watched_world


def days_pass(world, days: int) -> None:
    """Let every clock go on, and the outsiders look at the log."""
    world.time_passes(world.clock.moment + timedelta(days=days))


def push(world) -> None:
    """Do what the upkeep does each minute."""
    world.rooms.endings.push_all_on()
    world.rooms.custody.push_all_on()


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def has_key(world) -> bool:
    return world.keyholder.grounds.keys.has_key(key_id_of(AgreementId(world.agreement)))


def newest_epoch(world) -> int:
    with world.database.reading() as session:
        return vault.newest_epoch(session, AgreementId(world.agreement)).epoch


def put_back(world, tmp_path, happens: Callable[[WatchedWorld], object]) -> WatchedWorld:
    """Let something happen that the witnesses see, and put back all of before."""
    world.collect()
    kept, folder = tmp_path / "kept", world.ledger.folder
    world.close()
    shutil.copytree(folder, kept)
    onwards = reopened(world, folder)
    happens(onwards)
    onwards.collect()
    onwards.close()
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    return reopened(onwards, folder)


def withdrawn(world) -> tuple[str, str]:
    """Withdraw the first deposit for a second one; return deposit and withdrawal."""
    deposit = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    world.verify(world.deposit())
    return deposit, Endings(world).withdraw(deposit)


def destroyable(world) -> str:
    """Have a destruction served, its period over, and one of two agents' word given."""
    endings = Endings(world)
    ending = endings.request_destruction()
    endings.act("beneficiary", "acknowledge-destruction", ending)
    days_pass(world, 32)
    push(world)
    endings.confirm(ending, "agent_1")
    return ending


def test_a_deposit_is_shredded_on_a_history_from_before_a_hold(world, tmp_path) -> None:
    deposit, _ = withdrawn(world)
    days_pass(world, 15)
    back = put_back(world, tmp_path, lambda onwards: Endings(onwards).hold())
    with pytest.raises(NotWitnessed):
        back.keyholder.shred_deposit(DepositId(deposit))
    back.collect()
    push(back)
    assert headers(back, deposit) > 0
    back.close()


def test_an_agreement_is_destroyed_on_a_history_from_before_a_hold(world, tmp_path) -> None:
    ending = destroyable(world)
    back = put_back(world, tmp_path, lambda onwards: Endings(onwards).hold())
    Endings(back).confirm(ending, "agent_2")
    back.collect()
    with pytest.raises(NotWitnessed):
        back.keyholder.destroy_agreement(ending)
    assert has_key(back)
    back.close()


def test_a_key_is_dealt_on_a_history_from_before_the_agents_changed(world, tmp_path) -> None:
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    back = put_back(world, tmp_path, lambda onwards: Endings(onwards).hold())
    back.answer(held, "agent_2")
    back.collect()
    push(back)
    with pytest.raises(NotWitnessed):
        back.keyholder.carry_out_session(held)
    assert newest_epoch(back) == 1
    back.close()


def test_silent_witnesses_hold_a_shredding_up_and_lose_nothing(world) -> None:
    deposit, withdrawal = withdrawn(world)
    days_pass(world, 15)
    push(world)
    assert headers(world, deposit) > 0
    shown = world.do("GET", f"/endings/{withdrawal}", "vendor")
    assert shown["state"] == "shredding"
    world.collect()
    push(world)
    assert headers(world, deposit) == 0


def test_silent_witnesses_hold_a_destruction_up_and_lose_nothing(world) -> None:
    ending = destroyable(world)
    world.collect()
    assert Endings(world).confirm(ending, "agent_2")["state"] == "destroying"
    assert has_key(world)
    world.collect()
    push(world)
    assert not has_key(world)


@pytest.mark.parametrize(("purpose", "answering"), [("session", AGENTS), ("reshare", AGENTS[:2])])
def test_silent_witnesses_hold_a_session_up_and_lose_nothing(world, purpose, answering) -> None:
    held = world.begin_session(purpose)
    for agent in answering:
        shown = world.answer(held, agent)
    assert (shown["state"], newest_epoch(world)) != ("ended", 2)
    push(world)
    assert newest_epoch(world) == 1
    world.collect()
    push(world)
    assert newest_epoch(world) == 2
    assert world.do("GET", f"/custody/sessions/{held}", "agent_1")["state"] == "ended"


def test_a_row_stands_in_for_the_intent_of_a_session(world) -> None:
    """A cosigned entry of something else, named in a row, carries nothing out."""
    held = world.begin_session("reshare")
    with world.database.writing() as session:
        item = custody.item(session, held, 0)
        item.intended_sha256 = custody.session_by_id(session, held).entry_sha256
        custody.add(session, item)
    world.collect()
    for agent in AGENTS[:2]:
        world.try_answering(held, agent)
    assert newest_epoch(world) == 1
    world.collect()
    push(world)
    assert newest_epoch(world) == 2


def test_the_own_disk_remembers_for_endings_and_sessions_too(world) -> None:
    deposit, _ = withdrawn(world)
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    days_pass(world, 1)
    with contextlib.suppress(EscrowError):
        world.keyholder.shred_deposit(DepositId(deposit))
    outside = world.keyholder.grounds.outside
    cosigned = verify_checkpoint(json.loads(outside.memory.read_text())["note"], world.log_key)
    longer = sign_checkpoint(cosigned.tree_size + 500, bytes(32), world.ledger.key("log"))
    note = json.dumps({"format": "escrow-last-witnessed/1", "note": longer.note})
    outside.memory.write_text(note)
    with pytest.raises(RolledBack):
        world.keyholder.shred_deposit(DepositId(deposit))
    assert world.try_answering(held, "agent_2").json()["code"] == RolledBack.code
    assert world.try_beginning("drill").json()["code"] == RolledBack.code
