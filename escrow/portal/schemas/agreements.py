"""Bodies of the calls about agreements."""

from __future__ import annotations

from pydantic import Field

from escrow.portal.schemas.parties import Body


class CanaryShareBody(Body):
    """An agent's share of the canary, sealed to the agent who opens it."""

    recipient: str = Field(max_length=4000, description="age1… of the opening agent")
    file: str = Field(max_length=40_000, description="base64 of an age file")
