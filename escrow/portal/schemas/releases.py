"""Bodies of the calls about release requests."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic import Field

from escrow.portal.schemas.parties import Body
from escrow.releases.confirming import SentShare
from escrow.releases.errors import PaperMalformed
from escrow.releases.papers import Paper
from escrow.releases.subjects import MAX_PAPERS


class PaperBody(Body):
    """A paper that an act names by its digest."""

    kind: str = Field(max_length=40, description="statement, proof, or a kind of evidence")
    name: str = Field(max_length=120)
    content: str = Field(max_length=2_000_000, description="base64")

    def to_paper(self) -> Paper:
        """Return the paper."""
        return Paper(self.kind, self.name, _bytes(self.content))


class ActBody(Body):
    """A signed act, with the papers that it names."""

    envelope: dict[str, Any] = Field(description="A DSSE envelope.")
    papers: list[PaperBody] = Field(default_factory=list, max_length=MAX_PAPERS + 1)

    def to_papers(self) -> list[Paper]:
        """Return the papers."""
        return [one.to_paper() for one in self.papers]


class ShareBody(Body):
    """A share, sealed to the round's one-time key."""

    epoch: int = Field(ge=1, le=2**31 - 1)
    index: int = Field(ge=1, le=255)
    file: str = Field(max_length=40_000, description="base64 of an age file")

    def to_share(self) -> SentShare:
        """Return the share."""
        return SentShare(self.epoch, self.index, _bytes(self.file))


class ConfirmationBody(Body):
    """An agent's confirmation."""

    envelope: dict[str, Any] = Field(description="A DSSE envelope.")
    shares: list[ShareBody] = Field(min_length=1, max_length=MAX_PAPERS)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise PaperMalformed("What was sent is not base64.", "Send files as base64.") from None
