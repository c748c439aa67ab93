"""Bodies of the calls about parties."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from escrow.parties.permissions import Role, Verb


class Body(BaseModel):
    """A request body: unknown fields are refused, so that a typing error is never ignored."""

    model_config = ConfigDict(extra="forbid")


class SetupBody(Body):
    """The exchange of the one-time token for the first administrator."""

    one_time_token: str = Field(max_length=300)
    name: str = Field(max_length=200)
    email: str = Field(max_length=254)


class OrganisationBody(Body):
    """A new organisation."""

    slug: str = Field(max_length=80, description="As it stands in addresses.")
    name: str = Field(max_length=200)


class MemberBody(Body):
    """A new person, with his public keys when he has them."""

    name: str = Field(max_length=200)
    email: str = Field(max_length=254)
    role: Role
    signing_key: str | None = Field(default=None, max_length=100, description="ed25519:…")
    age_recipient: str | None = Field(default=None, max_length=4000, description="age1…")


class KeyBody(Body):
    """A public key of a person."""

    signing_key: str | None = Field(default=None, max_length=100, description="ed25519:…")
    age_recipient: str | None = Field(default=None, max_length=4000, description="age1…")


class TokenBody(Body):
    """A new token."""

    organisation: str = Field(max_length=80)
    role: Role
    member_id: str | None = Field(default=None, max_length=40)
    products: list[str] | None = Field(default=None, description="vendor/product, only these.")
    agreements: list[str] | None = Field(default=None, description="Only these.")
    verbs: list[Verb] | None = Field(default=None, description="Only these.")
    expires_in_days: int = Field(default=90, ge=1, le=365)
    label: str = Field(default="", max_length=100)
