"""Which deposits an offer names of each product: the last verified, the last before filing."""

from __future__ import annotations

from datetime import UTC, datetime

from escrow.releases.offers import OfferedDeposit, last_before, last_verified


def deposit(product: str, number: int, day: int, verdict: str | None = "pass") -> OfferedDeposit:
    sealed_at = f"2026-01-{day:02}T00:00:00.000Z"
    return OfferedDeposit(product, f"{product}-{number}", number, sealed_at, verdict, None, ())


def test_each_product_has_a_last_verified_one() -> None:
    found = [deposit("a", 1, 1), deposit("b", 1, 2), deposit("a", 2, 3), deposit("b", 2, 4, "fail")]
    assert last_verified(found) == ("a-2", "b-1")


def test_a_product_without_a_pass_names_none() -> None:
    assert last_verified([deposit("a", 1, 1, None), deposit("b", 1, 2, "fail")]) == ()


def test_what_came_after_the_filing_is_not_the_last_before_it() -> None:
    found = [deposit("a", 1, 1), deposit("a", 2, 9), deposit("b", 1, 9)]
    assert last_before(found, datetime(2026, 1, 5, tzinfo=UTC)) == ("a-1",)


def test_the_number_decides_where_a_clock_was_set_back() -> None:
    assert last_verified([deposit("a", 1, 9), deposit("a", 2, 1)]) == ("a-2",)
