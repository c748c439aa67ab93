"""A party bound by two persons jointly: one alone ends nothing and lifts nothing, and may keep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from agreements.terms import Signatory
from escrow.endings.errors import EndingHistoryBroken, RetentionKeeps
from escrow.endings.folding import Ending
from escrow.endings.rules import served
from escrow.endings.states import EVENT, Kind, State, Step
from escrow.evidence import acts
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import DepositId
from escrow.ledger.entries import parse_entry
from escrow.ledger.events import NewEvent, Stream
from escrow.releases.history import Given
from escrow.testing.agreements import AgreementCast
from escrow.testing.endings import WORDS, Endings
from escrow.testing.releases import ReleaseWorld
from escrow.vault import records as vault

JOINT = """signing_key = "{first}"
signs = "joint"

[[vendor.persons]]
name = "Second Person"
email = "second@northwind.example"
signing_key = "{second}"
signs = "joint"
"""


@pytest.fixture
def world(tmp_path) -> Iterator[ReleaseWorld]:
    made = ReleaseWorld(tmp_path)
    keys = [made.cast.signing_key(who).public for who in ("vendor", "vendor_2")]
    single = f'signing_key = "{keys[0]}"\nsigns = "single"\n'
    text = made.cast.text
    assert single in text
    made.cast.__dict__["text"] = text.replace(single, JOINT.format(first=keys[0], second=keys[1]))
    try:
        made.more_signers = ("vendor_2",)
        made.settle()
        yield made
    finally:
        made.close()


@pytest.fixture
def endings(world) -> Endings:
    return Endings(world)


@pytest.fixture
def replaced(world) -> str:
    newest = str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])
    world.verify(world.deposit())
    return newest


def withdraw(endings, who: str, deposit: str, ending: str = ""):
    return endings.try_act(who, "withdraw-deposit", ending, deposit_id=deposit, reason="secret")


def state(world, ending: str) -> str:
    return str(world.do("GET", f"/endings/{ending}", "vendor")["state"])


def deposit_state(world, deposit: str) -> str:
    return str(world.do("GET", f"/deposits/{deposit}", "vendor")["state"])


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def test_the_first_of_two_withdraws_nothing(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()
    assert (half["state"], deposit_state(world, replaced)) == ("half-withdrawn", "sealed")
    endings.pass_quarantine()
    with pytest.raises(RetentionKeeps):
        world.keyholder.shred_deposit(DepositId(replaced))
    assert headers(world, replaced) > 0


def test_one_who_signs_twice_is_still_one(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()["id"]
    world.clock.move(60)
    again = withdraw(endings, "vendor", replaced, half)
    assert (again.status_code, again.json()["code"]) == (409, "endings.known")
    assert state(world, half) == "half-withdrawn"


def test_the_second_withdraws_and_the_period_begins_with_him(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()["id"]
    world.clock.move(10 * 24 * 3600)
    done = withdraw(endings, "vendor_2", replaced, half).json()
    assert (done["state"], deposit_state(world, replaced)) == ("quarantined", "quarantined")
    world.clock.move(10 * 24 * 3600)
    world.rooms.endings.push_all_on()
    assert headers(world, replaced) > 0
    endings.pass_quarantine()
    assert (state(world, half), headers(world, replaced)) == ("shredded", 0)


def test_the_second_signs_something_else(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()["id"]
    newest = str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])
    answer = withdraw(endings, "vendor_2", newest, half)
    assert answer.is_error
    assert state(world, half) == "half-withdrawn"


def test_one_takes_back_what_two_have_signed(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()["id"]
    withdraw(endings, "vendor_2", replaced, half)
    endings.act("vendor", "cancel-deposit-withdrawal", half)
    assert deposit_state(world, replaced) == "sealed"


def test_a_half_that_is_taken_back_leaves_what_is_whole(world, endings, replaced) -> None:
    half = withdraw(endings, "vendor", replaced).json()["id"]
    whole = withdraw(endings, "vendor_2", replaced).json()["id"]
    withdraw(endings, "vendor", replaced, whole)
    endings.act("vendor", "cancel-deposit-withdrawal", half)
    assert deposit_state(world, replaced) == "quarantined"
    assert (state(world, half), state(world, whole)) == ("cancelled", "quarantined")


def test_one_places_a_hold_and_two_lift_it(world, endings) -> None:
    hold = endings.hold("vendor")
    assert endings.lift(hold, "vendor")["state"] == "placed"
    world.clock.move(60)
    statement = sha256_hex(WORDS)
    again = endings.try_act("vendor", "lift-hold", hold, statement_sha256=statement)
    assert again.json()["code"] == "endings.known"
    assert endings.lift(hold, "vendor_2")["state"] == "lifted"


def test_two_request_a_destruction(world, endings) -> None:
    half = endings.request_destruction("vendor")
    answer = endings.try_act("beneficiary", "acknowledge-destruction", half)
    assert (answer.status_code, state(world, half)) == (409, "half-requested")
    statement = sha256_hex(WORDS)
    done = endings.act("vendor_2", "request-destruction", half, statement_sha256=statement)
    assert done["state"] == "requested"
    assert endings.act("beneficiary", "acknowledge-destruction", half)["state"] == "served"


@pytest.mark.parametrize("step", [Step.WITHDRAW, Step.LIFT])
def test_a_taken_portal_calls_the_act_of_one_the_act_of_two(world, endings, replaced, step) -> None:
    """The keyholder reads who signed, not how the event is called."""
    statement = sha256_hex(WORDS)
    if step is Step.LIFT:
        ending = endings.hold("vendor")
        endings.act("vendor", "lift-hold", ending, statement_sha256=statement)
    else:
        ending = withdraw(endings, "vendor", replaced).json()["id"]
    stream = Stream("agreement", world.agreement)
    with world.database.writing() as session:
        query = "SELECT entry FROM ledger_entry WHERE type = :type"
        found = session.execute(sa.text(query), {"type": _half(step)}).scalar_one()
        data = parse_entry(bytes(found)).event.data
        world.rooms.scribe.append(session, NewEvent(stream, EVENT[step], "key:forged", data))
    world.keyholder.sequence()
    world.clock.move(20 * 24 * 3600)
    with pytest.raises(EndingHistoryBroken):
        world.keyholder.shred_deposit(DepositId(replaced))
    assert headers(world, replaced) > 0


# --- service upon a beneficiary who is bound by two -----------------------------------------------


def acknowledged(cast: AgreementCast, who: str, signs: str, day: int) -> Given:
    key, at = cast.signing_key(who), datetime(2026, 1, day, tzinfo=UTC)
    payload = acts.build_act("acknowledge-destruction", {"x": who}, key.public, at)
    act = acts.verify_act(acts.sign_act(payload, key), key.public)
    signatory = Signatory("beneficiary", "harbour-bank", who, "a@b.example", str(key.public), signs)  # type: ignore[arg-type]
    return Given(act, signatory, at, day)


@pytest.mark.parametrize(
    ("given", "served_on"),
    [
        ([("one", "joint", 2)], None),
        ([("one", "joint", 2), ("one", "joint", 3)], None),
        ([("one", "joint", 2), ("two", "joint", 5)], 5),
        ([("one", "single", 4)], 4),
        ([("one", "joint", 2), ("three", "single", 6)], 6),
    ],
)
def test_what_one_of_two_acknowledges_serves_nobody(given, served_on) -> None:
    cast = AgreementCast()
    opening = (Step.REQUEST, acknowledged(cast, "vendor", "single", 1))
    said = [(Step.SERVE_IN_PART, acknowledged(cast, *one)) for one in given]
    ending = Ending(Kind.DESTRUCTION, "dst_1", 1, State.REQUESTED, {}, (opening, *said))
    found = served(ending, cast.agreement)
    days = [day.day for day, _ in found.values()]
    assert days == ([] if served_on is None else [served_on])


def _half(step: Step) -> str:
    return EVENT[Step.LIFT_IN_PART if step is Step.LIFT else Step.WITHDRAW_IN_PART]
