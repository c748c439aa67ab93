"""A deposit that should not be there: quarantined, then shredded, and never half."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.deposits import records as deposits
from escrow.endings.letting_go import LetGo
from escrow.endings.removing import Remover
from escrow.ground.identifiers import DepositId
from escrow.testing.verification import A_PYTHON_PROJECT, tar_of
from escrow.vault import records as vault
from escrow.vault.shreds import records as shreds
from escrow.verification import records as verification


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def replaced(world) -> str:
    """A verified deposit after which a newer one passed."""
    first = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    world.verify(world.deposit())
    return first


def test_the_deposit_after_a_withdrawn_one_has_a_number_of_its_own(world, endings) -> None:
    """Numbers are given once: else nothing could be deposited any more."""
    withdrawn = world.deposit()
    endings.withdraw(withdrawn)
    after = world.deposit()
    assert world.do("GET", f"/deposits/{after}", "vendor")["number"] == 3


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def payloads(world, deposit: str) -> list[str]:
    with world.database.reading() as session:
        return [one.payload_sha256 for one in deposits.parts_of(session, DepositId(deposit))]


def types_in(world, kind: str, name: str) -> list[str]:
    from escrow.endings.reading import rows_of
    from escrow.ledger.events import Stream

    with world.database.reading() as session:
        events = rows_of(session)(Stream(kind, name))
    return [one.event.type for one in events if one.event.type.startswith("endings:")]


def test_it_is_quarantined_at_once_and_shredded_when_its_time_is_over(
    world, endings, replaced
) -> None:
    held = payloads(world, replaced)
    withdrawal = endings.withdraw(replaced)
    listed = world.do("GET", f"{world.product_path}/deposits", "vendor")["items"]
    assert replaced not in {one["id"] for one in listed}
    assert headers(world, replaced) > 0
    endings.pass_quarantine()
    shown = world.do("GET", f"/endings/{withdrawal}", "beneficiary")
    assert shown["state"] == "shredded"
    assert headers(world, replaced) == 0
    with world.database.reading() as session:
        assert vault.documents_of(session, DepositId(replaced)) == []
    assert {one["sha256"] for one in shown["payloads"]} >= set(held)
    assert types_in(world, "agreement", world.agreement) == [
        "endings:withdrawal:requested",
        "endings:withdrawal:intended",
        "endings:withdrawal:shredded",
    ]


def test_its_ciphertext_leaves_the_store_and_the_other_deposit_is_whole(
    world, endings, replaced
) -> None:
    held = payloads(world, replaced)
    endings.withdraw(replaced)
    endings.pass_quarantine()
    let_go = LetGo(world.ledger.keys)
    remover = Remover(world.database, world.blobs, world.rooms.scribe, world.clock, let_go)
    assert remover.remove_all() >= len(held)
    assert not any(world.blobs.exists(one) for one in held)
    assert remover.remove_all() == 0
    newest = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    assert all(world.blobs.exists(one) for one in payloads(world, newest))
    assert headers(world, newest) > 0


def test_everybody_is_told(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    notices = world.do("GET", "/notices", "operator")["items"]
    told = {one["reader"] for one in notices if one["kind"] == "deposit-withdrawn"}
    assert told == {"vendor", "beneficiary", "agent"}


def test_the_vendor_takes_it_back(world, endings, replaced) -> None:
    withdrawal = endings.withdraw(replaced)
    done = endings.act("vendor", "cancel-deposit-withdrawal", withdrawal)
    assert done["state"] == "cancelled"
    endings.pass_quarantine()
    assert headers(world, replaced) > 0
    listed = world.do("GET", f"{world.product_path}/deposits", "vendor")["items"]
    assert replaced in {one["id"] for one in listed}


def test_a_part_that_a_later_deposit_carries_stays(world, endings) -> None:
    draft = world.draft()
    world.upload(draft, "source/core", "tar", tar_of(A_PYTHON_PROJECT))
    world.upload(draft, "docs/manual", "file", b"How it is built.")
    world.do("POST", f"/deposits/{draft}/finish", "vendor")
    world.verify(draft)
    later = world.deposit()
    world.verify(later)
    carried = set(payloads(world, draft)) & set(payloads(world, later))
    assert len(carried) == 1
    endings.withdraw(draft)
    endings.pass_quarantine()
    with world.database.reading() as session:
        assert shreds.still_headed(session, payloads(world, draft)) == carried
    # And a deposit that comes then still takes it over.
    newest = world.deposit()
    assert carried <= set(payloads(world, newest))


@pytest.mark.parametrize("step", ["close_for_good", "_shred"])
def test_killed_after_the_intent_it_is_taken_up_again(
    world, endings, replaced, step, monkeypatch
) -> None:
    endings.withdraw(replaced)
    world.clock.moment += timedelta(days=15)
    place = (
        "escrow.operations.keyholder.endings.Lanes.close_for_good"
        if step == "close_for_good"
        else "escrow.operations.keyholder.endings.Endings._shred"
    )
    with monkeypatch.context() as killed:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        killed.setattr(place, die)
        with pytest.raises(KeyboardInterrupt):
            world.keyholder.shred_deposit(DepositId(replaced))
    assert headers(world, replaced) > 0
    # What was intended is carried out: a hold that comes now is too late, and is logged.
    endings.hold()
    world.rooms.endings.push_all_on()
    assert headers(world, replaced) == 0
    assert types_in(world, "product", _product(world)).count("endings:deposit:shredded") == 1


def _product(world) -> str:
    with world.database.reading() as session:
        return deposits.all_products(session)[0].id


def test_a_second_time_changes_nothing(world, endings, replaced) -> None:
    endings.withdraw(replaced)
    endings.pass_quarantine()
    before = types_in(world, "product", _product(world))
    world.keyholder.shred_deposit(DepositId(replaced))
    assert types_in(world, "product", _product(world)) == before


def test_a_withdrawn_deposit_that_waits_for_its_test_is_not_built(world, endings) -> None:
    waiting = world.deposit()
    endings.withdraw(waiting)
    world.verify(waiting)
    with world.database.reading() as session:
        row = verification.newest_examination(session, DepositId(waiting))
    assert row is not None
    assert (row.verdict, row.reason) == ("not-tested", "withdrawn")
