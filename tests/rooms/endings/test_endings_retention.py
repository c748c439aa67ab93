"""Retention over years: what may go, and what never goes, with carried parts among it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agreements.terms import Agreement, EndingTerms
from escrow.deposits import records as deposits
from escrow.endings.errors import HoldStands, RetentionKeeps
from escrow.endings.rules import (
    DEPOSIT_SHREDDED,
    Product,
    Sight,
    droppable,
    payloads_to_shred,
)
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.ledger.events import Event, Stream
from escrow.testing.agreements import AgreementCast
from escrow.testing.endings import Endings
from escrow.testing.releases import ReleaseWorld
from escrow.vault import records as vault

START = datetime(2020, 1, 31, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
STREAM = Stream("product", "prd_1")
NAME = "agr_1"


@dataclass(frozen=True)
class Made:
    """One deposit of a made-up history."""

    verdict: str
    level: str
    brought: str = ""
    carried: str = ""


def event(sequence: int, kind: str, role: str, at: datetime, **data: object) -> Event:
    return Event(STREAM, sequence, None, kind, role, "x", at, "0" * 64, data)  # type: ignore[arg-type]


def history(made: list[Made], months: int = 24, *others: int) -> Product:
    """Return a product with one deposit each month, serving one agreement or more."""
    names = [NAME, *(f"agr_{at}" for at in range(2, 2 + len(others)))]
    events = []
    for number, one in enumerate(made, 1):
        payloads = [one.brought or f"source {number}", *([one.carried] if one.carried else [])]
        facts = {
            "deposit_id": f"dep_{number}",
            "number": number,
            "agreements": [[name, 1] for name in names],
            "parts": [{"part_id": p, "payload_sha256": p, "carried_from": None} for p in payloads],
        }
        at = START + number * MONTH
        events.append(event(number, "deposits:deposit:sealed", "portal", at, **facts))
    verdicts = {f"dep_{at}": (one.verdict, one.level) for at, one in enumerate(made, 1)}
    return Product(
        events,
        {
            name: Sight(AgreementId(name), terms(term), 1, {}, (), verdicts)
            for name, term in zip(names, [months, *others], strict=True)
        },
    )


def terms(months: int) -> Agreement:
    return replace(AgreementCast().agreement, endings=EndingTerms(retention_months=months))


BUILT, FAILED = Made("pass", "build"), Made("fail", "inventory")
YEARS = [BUILT] * 12 + [FAILED] * 3 + [Made("pass", "equivalence")] + [FAILED] * 44
NOW = START + 61 * MONTH


def numbers(found: list[str]) -> set[int]:
    return {int(one.removeprefix("dep_")) for one in found}


def test_years_of_deposits_go_but_the_last_of_each_level_and_the_young() -> None:
    dropped = numbers(droppable(history(YEARS), NOW))
    assert 12 not in dropped, "the last that was built"
    assert 16 not in dropped, "the last that was equivalent, and the last that passed"
    assert dropped == set(range(1, 37)) - {12, 16}


@pytest.mark.parametrize(("months", "others"), [(0, ()), (24, (0,)), (600, ())])
def test_without_a_term_in_every_agreement_nothing_goes(months: int, others: tuple[int]) -> None:
    assert droppable(history(YEARS, months, *others), NOW) == []


def test_the_longest_term_counts() -> None:
    assert numbers(droppable(history(YEARS, 24, 48), NOW)) == set(range(1, 13)) - {12}


def test_nothing_under_twelve_months_goes_whatever_a_text_says() -> None:
    dropped = numbers(droppable(history(YEARS, 1), NOW))
    assert max(dropped) == 48


def test_the_last_of_all_stays_for_ever() -> None:
    assert droppable(history([BUILT]), START + timedelta(days=36_500)) == []


def test_year_by_year_no_level_is_ever_lost() -> None:
    """Drop each month what may go, as the upkeep does, and look at what is left."""
    product = history(YEARS)
    for month in range(1, 200):
        now = START + month * MONTH
        seen = Product([one for one in product.events if one.at <= now], product.sights)
        for deposit_id in droppable(seen, now):
            gone = event(0, DEPOSIT_SHREDDED, "keyholder", now, deposit_id=deposit_id)
            product = Product([*product.events, gone], product.sights)
    left = numbers([one for one in product.sealings if one not in product.gone])
    assert left == {12, 16, 60}


def test_a_part_that_is_carried_on_outlives_the_deposit_that_brought_it() -> None:
    made = [Made("pass", "build", "source 1", "docs")]
    made += [Made("pass", "build", "", "docs"), Made("pass", "build", "")]
    product = history(made)
    assert payloads_to_shred(product, "dep_1") == ["source 1"]
    gone = event(9, DEPOSIT_SHREDDED, "keyholder", NOW, deposit_id="dep_1")
    later = Product([*product.events, gone], product.sights)
    assert payloads_to_shred(later, "dep_2") == ["docs", "source 2"]


# --- with the keyholder -----------------------------------------------------------------------


class RetainingCast(AgreementCast):
    """People who agreed on a term of retention."""

    @property
    def text(self) -> str:  # type: ignore[override]
        """The text, with the term."""
        return super().text + "\n[endings]\nretention_months = 12\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleaseWorld]:
    monkeypatch.setattr(ReleaseWorld, "cast_class", RetainingCast)
    made = ReleaseWorld(tmp_path)
    try:
        made.set_up()
        made.agreement = made.bring_into_force()
        yield made
    finally:
        made.close()


def test_a_hold_keeps_what_retention_would_drop(world: ReleaseWorld) -> None:
    old, young = world.deposit(), world.deposit()
    for one in (old, young):
        world.verify(one)
    Endings(world).hold()
    with world.database.reading() as session:
        product_id = ProductId(deposits.all_products(session)[0].id)
    with pytest.raises(RetentionKeeps):
        world.keyholder.shred_deposit(DepositId(old))
    world.clock.moment += timedelta(days=400)
    assert world.rooms.endings.droppable(product_id) == [old]
    with pytest.raises(HoldStands):
        world.keyholder.shred_deposit(DepositId(old))
    assert world.rooms.endings.drop_old(product_id) == []


def test_the_upkeep_drops_what_nothing_keeps(world: ReleaseWorld) -> None:
    old, young = world.deposit(), world.deposit()
    for one in (old, young):
        world.verify(one)
    with world.database.reading() as session:
        product_id = ProductId(deposits.all_products(session)[0].id)
    world.clock.moment += timedelta(days=400)
    assert world.rooms.endings.push_all_on([product_id]) == []
    with world.database.reading() as session:
        assert vault.header_records_of(session, DepositId(old)) == []
        assert vault.header_records_of(session, DepositId(young))
    with pytest.raises(RetentionKeeps):
        world.keyholder.shred_deposit(DepositId(young))
