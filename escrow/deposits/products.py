"""What a product says of itself, and the rules for it; pure.

A product names its repositories, the refs that count, its history term and the materials that it
owes. Agreements refer to products; the terms of an agreement may ask for more, never for less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from escrow.deposits.errors import BadProduct, PartInvalid
from escrow.deposits.refs import check_patterns
from escrow.ground.identifiers import check_slug

HISTORIES = ("full", "snapshot")

# The kinds of parts; ``source`` alone can come by git. Credentials are never opened in a test.
KINDS = (
    "source",
    "data",
    "docs",
    "artifacts",
    "images",
    "environment",
    "credentials",
    "models",
)
MEDIA = (
    "git-bundle",
    "tar",
    "tar.gz",
    "tar.xz",
    "tar.bz2",
    "tar.zst",
    "zip",
    "file",
)

# A part's name stands in reports and in file names of a package: one printable file name, which
# no shell and no system takes for an option, a hidden file or a path.
_PART_NAME = re.compile(r"[^\W_](?:[^/\\:*?\"<>|\x00-\x1f]*[^/\\:*?\"<>|\s.])?")
MAX_PART_NAME_BYTES = 120

# A product with more is several products.
MAX_REPOSITORIES = 50
MAX_MATERIALS = 50


@dataclass(frozen=True)
class Material:
    """A material that a product owes: any part of the kind, or the one of this name."""

    kind: str
    name: str | None = None
    required: bool = True
    max_age_days: int | None = None


@dataclass(frozen=True)
class ProductSpec:
    """A product as its vendor describes it."""

    slug: str
    name: str
    repositories: tuple[str, ...]
    refs: tuple[str, ...]
    history: str = "full"
    materials: tuple[Material, ...] = ()


def check_product(spec: ProductSpec) -> None:
    """Refuse a description that could not be held.

    Raises:
        BadSlug: product or repository names that cannot stand in an address.
        BadProduct: anything else, naming it.
    """
    check_slug(spec.slug, "product")
    for repository in spec.repositories:
        check_slug(repository, "repository")
    if not spec.name.strip() or len(spec.name) > 200 or not spec.name.isprintable():
        raise BadProduct("The product has no name of 1 to 200 characters.", "Give it one.")
    if spec.history not in HISTORIES:
        raise BadProduct(
            f"{spec.history[:40]!r} is no history term.",
            "Say 'full' for the whole history, 'snapshot' for the working tree alone.",
        )
    _check_each_once("repository", spec.repositories, MAX_REPOSITORIES)
    _check_each_once("ref pattern", spec.refs, len(spec.refs))
    if spec.repositories:
        check_patterns(spec.refs)
    _check_materials(spec.materials)


def check_part(kind: str, name: str, media: str) -> None:
    """Refuse a part whose kind, name or media is not offered.

    Raises:
        PartInvalid: naming what there is.
    """
    if kind not in KINDS:
        raise PartInvalid(f"{kind[:40]!r} is no kind of part.", f"Use one of {', '.join(KINDS)}.")
    if media not in MEDIA:
        raise PartInvalid(f"{media[:40]!r} is no media.", f"Use one of {', '.join(MEDIA)}.")
    if not _is_part_name(name):
        raise PartInvalid(
            f"The part name {name[:60]!r} cannot be used.",
            "Use a plain file name of at most 120 bytes that starts with a letter or digit.",
        )


def _is_part_name(name: str) -> bool:
    fits = len(name.encode("utf-8", "surrogatepass")) <= MAX_PART_NAME_BYTES
    return fits and name.isprintable() and _PART_NAME.fullmatch(name) is not None


def _check_each_once(what: str, names: Sequence[str], limit: int) -> None:
    if len(set(names)) < len(names):
        raise BadProduct(f"A {what} is named twice.", f"Name each {what} once.")
    if len(names) > limit:
        raise BadProduct(f"More than {limit} of: {what}.", "Split the product.")


def _check_materials(materials: Sequence[Material]) -> None:
    _check_each_once("material", [f"{m.kind}/{m.name or ''}" for m in materials], MAX_MATERIALS)
    for material in materials:
        if material.kind not in KINDS:
            raise BadProduct(
                f"{material.kind[:40]!r} is no kind of material.",
                f"Use one of {', '.join(KINDS)}.",
            )
        if material.name is not None and not _is_part_name(material.name):
            raise BadProduct(
                f"The material name {material.name[:60]!r} cannot be used.",
                "Use a plain file name, or leave the name out.",
            )
        if material.max_age_days is not None and material.max_age_days < 1:
            raise BadProduct(
                f"The greatest age of {material.kind} is less than a day.",
                "Give a number of days from 1 on, or leave it out.",
            )
