"""Whoever compares every state with its events finds no fault in what has ended."""

from __future__ import annotations

import pytest

from escrow.deposits.comparing import COMPARERS as OF_DEPOSITS
from escrow.ledger.comparing import compare_states
from escrow.parties.comparing import COMPARERS as OF_PARTIES
from escrow.register.comparing import COMPARERS as OF_AGREEMENTS
from escrow.vault.comparing import COMPARERS as OF_HEADERS
from escrow.vault.shreds import records as shreds
from escrow.verification.comparing import COMPARERS as OF_VERDICTS

COMPARERS = (*OF_DEPOSITS, *OF_PARTIES, *OF_AGREEMENTS, *OF_HEADERS, *OF_VERDICTS)


@pytest.fixture
def world(release_world):
    return release_world


def differences(world) -> list:
    with world.database.reading() as session:
        return compare_states(session, COMPARERS)


def test_after_a_withdrawal_every_state_still_fits(world, endings) -> None:
    first = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    world.verify(world.deposit())
    endings.withdraw(first)
    assert differences(world) == []
    endings.pass_quarantine()
    assert differences(world) == []


def test_after_a_destruction_every_state_still_fits(world, endings) -> None:
    ending = endings.until_confirmable()
    for agent in ("agent_1", "agent_2"):
        endings.confirm(ending, agent)
    assert differences(world) == []


def test_headers_that_go_without_an_ending_are_told(world) -> None:
    with world.database.writing() as session:
        shreds.delete_headers_of_agreement(session, world.agreement)
    assert differences(world) != []
