"""Bodies of the calls about custody."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic import Field

from escrow.custody.errors import AnswerMalformed
from escrow.custody.sessions import MAX_AGREEMENTS, Purpose
from escrow.portal.schemas.parties import Body


class SessionBody(Body):
    """What the agents are to be asked for."""

    purpose: Purpose = Field(description="drill, session or reshare")
    agreements: list[str] = Field(min_length=1, max_length=MAX_AGREEMENTS)
    panel: bool = Field(
        default=False, description="all agreements with exactly the agents of the first one"
    )


class AnswerBody(Body):
    """An agent's answer to a session: one signed act, and the document that it names."""

    envelope: dict[str, Any] = Field(description="A DSSE envelope.")
    document: str = Field(max_length=2_000_000, description="base64")

    def to_document(self) -> bytes:
        """Return the document's bytes."""
        try:
            return base64.b64decode(self.document, validate=True)
        except binascii.Error:
            raise AnswerMalformed("it is not base64") from None
