"""What a review of the keyholder's leftovers found: ways in that outlived what they led to."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from escrow.custody import records
from escrow.custody.errors import ShareForOtherPurpose
from escrow.custody.sessions import Challenge, Purpose
from escrow.custody.shares import open_shares
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_stream
from escrow.operations.keyholder.continuity import DEALT, keep_copies
from escrow.testing.endings import Endings
from escrow.testing.releases import ReleaseWorld
from escrow.vault import records as vault
from escrow.vault.age import encrypt_bytes, new_hybrid_identity
from escrow.vault.continuity.copies import ContinuityFolder, Holders
from escrow.vault.errors import LaneClosed

ON_SQLITE_ALONE = True

AGENTS = ("agent_1", "agent_2", "agent_3")


@pytest.fixture
def world(custody_world):
    return custody_world


def lane(world, deposit: str):
    with world.database.reading() as session:
        return vault.lane_of(session, DepositId(deposit))


# --- lanes ----------------------------------------------------------------------------------------


def test_the_worker_asks_for_the_keys_of_a_destroyed_deposit(world) -> None:
    """A deposit that came in just before: its lane would have led to it for three days more."""
    ending = Endings(world).until_confirmable()
    deposit = world.deposit()
    assert world.keyholder.open_for_verification(DepositId(deposit))
    for agent in AGENTS[:2]:
        Endings(world).confirm(ending, agent)
    world.rooms.endings.push_all_on()
    assert lane(world, deposit).closed_at is not None
    assert not world.keyholder._on.keys.has_key(f"lane-{deposit}")
    with pytest.raises(LaneClosed):
        world.keyholder.open_for_verification(DepositId(deposit))


def test_the_worker_asks_for_the_keys_of_a_shredded_deposit(world) -> None:
    deposit = world.deposit()
    world.verify(world.deposit())
    endings = Endings(world)
    endings.withdraw(deposit)
    with world.database.writing() as session:
        row = vault.lane_of(session, DepositId(deposit))
        assert row.closed_at is None
        row.closes_at += timedelta(days=300)
        vault.add(session, row)
    endings.pass_quarantine()
    assert lane(world, deposit).closed_at is not None
    with pytest.raises(LaneClosed):
        world.keyholder.open_for_verification(DepositId(deposit))


def test_a_row_keeps_a_reopened_deposit_open(world) -> None:
    """When it ends is told by the entry that opened it, not by whoever writes the row."""
    held = world.begin_session("session")
    for agent in AGENTS:
        shown = world.answer(held, agent)
    [deposit] = shown["reopened"]
    with world.database.writing() as session:
        row = records.reopening_of(session, DepositId(deposit))
        row.closes_at += timedelta(days=300)
        records.add(session, row)
    assert world.keyholder.open_for_verification(DepositId(deposit))
    world.clock.moment += timedelta(hours=73)
    with pytest.raises(LaneClosed):
        world.keyholder.open_for_verification(DepositId(deposit))


# --- answers to a session -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signing_key", "no key"),
        ("envelope_json", "{"),
        ("envelope_json", "[" * 100_000),
        ("envelope_json", json.dumps({"payload": 1})),
        ("document", b"\xff"),
    ],
)
def test_one_malformed_answer_spoils_a_whole_session(world, field, value) -> None:
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    with world.database.writing() as session:
        [good] = records.answers_of(session, held)
        values = good.model_dump() | {"signing_key": "ed25519:other", "act_sha256": "0" * 64}
        records.add(session, records.AnswerRow(**(values | {field: value})))
    for agent in AGENTS[1:]:
        world.answer(held, agent)
    with world.database.reading() as session:
        assert records.session_by_id(session, held).ended_at is not None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"v": 1, "shares": [[Infinity, 1, ""]]}'])
def test_an_agent_seals_what_no_parser_takes(text) -> None:
    """His file counts for nothing; it must not end the call that carries the session out."""
    one_time = new_hybrid_identity()
    challenge = Challenge("ses_1", Purpose.SESSION, "0" * 64)
    if text.startswith("{"):
        said = {"purpose": "session", "session_id": "ses_1"}
        text = json.dumps(json.loads(text) | said)
    with pytest.raises(ShareForOtherPurpose):
        open_shares(encrypt_bytes(text.encode(), [one_time.recipient]), challenge, one_time)


# --- continuity -----------------------------------------------------------------------------------


class Continued(ReleaseWorld):
    def continuity(self, folder) -> ContinuityFolder:
        people = tuple(str(new_hybrid_identity().recipient) for _ in range(3))
        return ContinuityFolder(folder / "copies", Holders(2, people))


def test_a_dealing_that_was_rolled_back_is_logged_all_the_same(tmp_path) -> None:
    """What copies are sealed to stands in the ledger: holders compare their shares with it."""
    world = Continued(tmp_path)
    try:
        deposit, agreement = world.settle(), AgreementId(world.agreement)
        on = world.keyholder._on
        on.continuity.forget_agreement(agreement)
        with pytest.raises(KeyError), world.database.writing() as session:
            keep_copies(on, session, vault.header_records_of(session, DepositId(deposit)))
            raise KeyError("killed before the commit")
        for _ in range(2):
            with world.database.writing() as session:
                keep_copies(on, session, vault.header_records_of(session, DepositId(deposit)))
            world.keyholder.sequence()
        key = (tmp_path / "copies" / agreement / "continuity.recipient").read_text().strip()
        with world.database.reading() as session:
            events = [one.event for one in read_stream(session, Stream("agreement", agreement))]
        dealt = [one.data for one in events if one.type == DEALT]
        named = [one["recipient_sha256"] for one in dealt]
        assert named.count(sha256_hex(key.encode())) == 1
        assert (dealt[-1]["k"], len(dealt[-1]["share_files_sha256"])) == (2, 3)
    finally:
        world.close()
