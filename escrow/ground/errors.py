"""The one tree of errors that the service raises on purpose.

::

    EscrowError
    ├── InvalidInput    the caller's data cannot be taken            (the portal answers 422)
    ├── Refused         well-formed, but not now or not like this    (409)
    │   └── NotPermitted    this caller may not do it                (403)
    ├── NotAuthenticated    no or no valid credential                (401)
    ├── NotFound        absent, or not yours: the two look the same  (404)
    ├── Tampered        a proof does not hold; never retried         (500, page a person)
    └── Unavailable     ours, try again later                        (503)

Each concrete error is a class of its room with a unique, stable ``code``, named by the question
that it answers. A failed trial build or an unmet condition is a finding, a value, and no error.
The mapping to HTTP lives in one table of the portal, never here.
"""

from __future__ import annotations

from typing import ClassVar


class EscrowError(Exception):
    """An error with a reason for the reader, a remedy addressed to him, and a stable code.

    Args:
        reason: one sentence: what is wrong. Never holds a secret.
        remedy: one sentence: what the reader can do about it.
    """

    code: ClassVar[str] = "escrow.error"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class InvalidInput(EscrowError):
    """The caller's data is malformed or breaks a stated limit."""

    code = "input.invalid"


class Refused(EscrowError):
    """The request is well-formed but the state of things forbids it."""

    code = "request.refused"


class NotPermitted(Refused):
    """The caller is known, sees the thing, and may not do this to it."""

    code = "request.not-permitted"


class NotAuthenticated(EscrowError):
    """No credential was sent, or it is not (or no longer) valid."""

    code = "request.not-authenticated"


class NotFound(EscrowError):
    """The thing does not exist, or belongs to somebody else: both look the same."""

    code = "request.not-found"


class Tampered(EscrowError):
    """A digest, signature or proof does not hold; a person has to look."""

    code = "proof.tampered"


class Unavailable(EscrowError):
    """Something of ours is out of reach; the same call may succeed later."""

    code = "service.unavailable"

    def __init__(self, reason: str, remedy: str, retry_after_seconds: int = 5) -> None:
        super().__init__(reason, remedy)
        self.retry_after_seconds = retry_after_seconds
