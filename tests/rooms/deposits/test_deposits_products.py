"""What a product may say of itself, and what a part may be called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.deposits.errors import BadProduct, PartInvalid
from escrow.deposits.products import Material, ProductSpec, check_part, check_product
from escrow.ground.identifiers import BadSlug

GOOD = ProductSpec("engine", "Engine", ("core",), ("refs/heads/main",))


def test_a_good_product() -> None:
    check_product(replace(GOOD, history="snapshot", materials=(Material("docs"),)))


def test_a_product_without_repositories_needs_no_refs() -> None:
    check_product(replace(GOOD, repositories=(), refs=()))


@pytest.mark.parametrize("slug", ["", "Engine", "a/b", "..", "x.git", "-x"])
def test_names_that_cannot_stand_in_an_address(slug: str) -> None:
    with pytest.raises(BadSlug):
        check_product(replace(GOOD, slug=slug))
    with pytest.raises(BadSlug):
        check_product(replace(GOOD, repositories=(slug,)))


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, name=" "),
        replace(GOOD, name="a\nb"),
        replace(GOOD, history="some"),
        replace(GOOD, repositories=("a", "a")),
        replace(GOOD, repositories=tuple(f"r{i}" for i in range(51))),
        replace(GOOD, refs=()),
        replace(GOOD, refs=("main",)),
        replace(GOOD, materials=(Material("wishes"),)),
        replace(GOOD, materials=(Material("docs"), Material("docs"))),
        replace(GOOD, materials=(Material("data", "a/b"),)),
        replace(GOOD, materials=(Material("data", max_age_days=0),)),
    ],
)
def test_terms_that_cannot_be_held(bad: ProductSpec) -> None:
    with pytest.raises(BadProduct):
        check_product(bad)


@pytest.mark.parametrize(
    "name", ["dump.sql", "Handbuch für Größe (2).pdf", "1", "日本語.txt", "c++"]
)
def test_part_names(name: str) -> None:
    check_part("data", name, "file")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/x", "a/b", "a\\b", "-x", " x", "x ", "x.", "a\0", "\u202ea"]
)
def test_part_names_that_would_harm(name: str) -> None:
    with pytest.raises(PartInvalid):
        check_part("data", name, "file")


@pytest.mark.parametrize(("kind", "media"), [("wishes", "file"), ("data", "rar")])
def test_kinds_and_media_that_are_not_offered(kind: str, media: str) -> None:
    with pytest.raises(PartInvalid, match="Use one of"):
        check_part(kind, "x", media)
