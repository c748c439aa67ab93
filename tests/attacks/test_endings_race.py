"""A hold under one agreement against a shredding under another of the same deposit, at one moment.

Whoever comes first is heard: a hold that is being written when the keyholder looks makes it wait
for the turn to write, on either database, and what it decides on has the hold in it (decision 5).
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from escrow.endings.acting import take_act
from escrow.endings.errors import HoldStands
from escrow.endings.subjects import opening_subject
from escrow.evidence.dsse import Envelope
from escrow.ground.database import Database
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId, new_id
from escrow.releases.papers import Paper
from escrow.testing.endings import WORDS, Endings
from escrow.vault import records as vault

# Long enough for the keyholder to look, were it not made to wait.
_HELD_SECONDS = 1.0


@pytest.fixture
def world(release_world):
    return release_world


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def hold_under(world, agreement: str) -> tuple[Envelope, list[Paper]]:
    """Sign a hold, as the beneficiary's client does."""
    subject = opening_subject(
        AgreementId(agreement),
        1,
        world.cast.agreement.text_sha256,
        new_id("hld"),
        statement_sha256=sha256_hex(WORDS),
    )
    paper = Paper("statement", "statement.txt", WORDS)
    return Envelope.from_json(world.signed("beneficiary", "place-hold", subject)), [paper]


def test_a_hold_is_written_while_the_keyholder_decides_to_shred(world) -> None:
    """The portal is a process of its own, with its own connection: nothing but the database."""
    deposit = str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])
    world.verify(world.deposit())
    endings = Endings(world)
    endings.withdraw(deposit)
    world.clock.moment += timedelta(days=15)
    envelope, papers = hold_under(world, world.agreement)
    portal, outcome = Database(world.database.url), list[BaseException]()

    def shred() -> None:
        try:
            world.keyholder.shred_deposit(DepositId(deposit))
        except HoldStands as refused:
            outcome.append(refused)

    asked = threading.Thread(target=shred)
    try:
        with portal.writing() as session:
            agreement = AgreementId(world.agreement)
            take_act(session, agreement, envelope, papers, world.rooms.scribe, world.clock)
            asked.start()
            time.sleep(_HELD_SECONDS)
        asked.join(30)
    finally:
        portal.close()
    assert [type(one) for one in outcome] == [HoldStands]
    assert headers(world, deposit) > 0
