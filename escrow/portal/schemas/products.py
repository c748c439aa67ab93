"""Bodies of the calls about products."""

from __future__ import annotations

from pydantic import Field

from escrow.portal.schemas.parties import Body


class MaterialBody(Body):
    """A material that a product owes."""

    kind: str = Field(max_length=40)
    name: str | None = Field(default=None, max_length=200)
    required: bool = True
    max_age_days: int | None = Field(default=None, ge=1)


class ProductBody(Body):
    """A new product."""

    vendor: str = Field(max_length=80)
    slug: str = Field(max_length=80)
    name: str = Field(max_length=200)
    history: str = Field(default="full", max_length=20)
    repositories: list[str] = Field(default_factory=list, max_length=100)
    refs: list[str] = Field(default_factory=list, max_length=100)
    materials: list[MaterialBody] = Field(default_factory=list, max_length=100)
