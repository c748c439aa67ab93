"""What can go wrong with parties, one class for each question.

::

    InvalidInput      BadName, BadEmail, BadGrant, BadRecipient, BadIdempotencyKey
    Refused           OrganisationExists, MemberExists, KeyOfOther, AlreadySetUp, KeyReused,
                      AnswerNotKept, SameRequestUnderWay
    NotPermitted      NotAllowed, TokenLacksVerb, GrantExceedsIssuer
    NotAuthenticated  TokenMalformed, TokenOfOtherService, TokenUnknown, TokenRevoked,
                      TokenExpired, TokenOneTime, TokenSpent
    NotFound          NothingThere, OrganisationUnknown, MemberUnknown, TokenAbsent
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotAuthenticated, NotFound, NotPermitted, Refused

_NEW_TOKEN = "Ask whoever administers your organisation for a new token."  # noqa: S105 (a sentence)


class BadName(InvalidInput):
    """A name of a person or an organisation is empty, too long or not printable."""

    code = "parties.bad-name"


class BadEmail(InvalidInput):
    """A text that should be an e-mail address is none."""

    code = "parties.bad-email"


class BadGrant(InvalidInput):
    """What a token should be allowed makes no sense together."""

    code = "parties.bad-grant"


class BadRecipient(InvalidInput):
    """A text that should be an age recipient is none."""

    code = "parties.bad-recipient"


class BadIdempotencyKey(InvalidInput):
    """The Idempotency-Key has a form that cannot be kept."""

    code = "parties.bad-idempotency-key"


class OrganisationExists(Refused):
    """Another organisation has this short name."""

    code = "parties.organisation-exists"


class MemberExists(Refused):
    """The organisation already has a member with this address."""

    code = "parties.member-exists"


class KeyOfOther(Refused):
    """A public key is already registered for somebody else."""

    code = "parties.key-of-other"


class AlreadySetUp(Refused):
    """The installation has an operator; a first one cannot be made."""

    code = "parties.already-set-up"


class KeyReused(Refused):
    """An Idempotency-Key came back with another request."""

    code = "parties.idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for a request with another body.",
            "Use a new key for a new request, and the old one only to repeat the same.",
        )


class AnswerNotKept(Refused):
    """The request was already done, and its answer held a secret that was not kept."""

    code = "parties.answer-not-kept"

    def __init__(self) -> None:
        super().__init__(
            "This request was already done; its answer was not kept, as it held a secret.",
            "Look for what it made (for a token: list, revoke it) and send a new Idempotency-Key.",
        )


class SameRequestUnderWay(Refused):
    """The same request is being done at this moment."""

    code = "parties.same-request-under-way"

    def __init__(self) -> None:
        super().__init__(
            "The same request with this Idempotency-Key is under way.",
            "Wait a moment and send it again to get its answer.",
        )


class NotAllowed(NotPermitted):
    """The role may not do this, not even to what is its own."""

    code = "parties.not-allowed"


class TokenLacksVerb(NotPermitted):
    """The role may, and this token was not given it."""

    code = "parties.token-lacks-verb"


class GrantExceedsIssuer(NotPermitted):
    """Nobody gives a token more than he has himself."""

    code = "parties.grant-exceeds-issuer"


class TokenMalformed(NotAuthenticated):
    """The credential does not have the form of a token, or was mistyped."""

    code = "parties.token-malformed"

    def __init__(self) -> None:
        super().__init__(
            "This is no token, or it was cut or mistyped: its check digits do not match.",
            "Copy it whole, from 'esc_' to the last character.",
        )


class TokenOfOtherService(NotAuthenticated):
    """The token belongs to another environment."""

    code = "parties.token-of-other-service"

    def __init__(self, theirs: str, ours: str) -> None:
        super().__init__(
            f"This token is for the environment '{theirs}'; this service is '{ours}'.",
            "Use the token of this service, or call the service that the token is for.",
        )


class TokenUnknown(NotAuthenticated):
    """No token of this id and secret was ever issued here."""

    code = "parties.token-unknown"

    def __init__(self) -> None:
        super().__init__("This token was not issued by this service.", _NEW_TOKEN)


class TokenRevoked(NotAuthenticated):
    """The token was revoked."""

    code = "parties.token-revoked"

    def __init__(self) -> None:
        super().__init__("This token was revoked.", _NEW_TOKEN)


class TokenExpired(NotAuthenticated):
    """The token's time is over."""

    code = "parties.token-expired"

    def __init__(self) -> None:
        super().__init__("This token has expired.", _NEW_TOKEN)


class TokenOneTime(NotAuthenticated):
    """A one-time token was used as if it were a lasting one, or a lasting one as one-time."""

    code = "parties.token-one-time"


class TokenSpent(NotAuthenticated):
    """A one-time token was already exchanged."""

    code = "parties.token-spent"

    def __init__(self) -> None:
        super().__init__(
            "This one-time token was already exchanged.",
            "If it was not you, tell the administrator at once; else use the token you received.",
        )


class NothingThere(NotFound):
    """Absent, or not yours."""

    code = "parties.nothing-there"

    def __init__(self) -> None:
        super().__init__(
            "There is no such thing, or it is not yours.",
            "Check the name; 'escrow status' lists what is yours.",
        )


class OrganisationUnknown(NotFound):
    """No such organisation, or it is not yours."""

    code = "parties.organisation-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such organisation, or it is not yours.",
            "Check its short name; 'escrow admin organisations' lists those that you see.",
        )


class MemberUnknown(NotFound):
    """No such member, or not of your organisation."""

    code = "parties.member-unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such member, or not in your organisation.", "Check the member's id."
        )


class TokenAbsent(NotFound):
    """No such token, or not of your organisation."""

    code = "parties.token-absent"

    def __init__(self) -> None:
        super().__init__(
            "There is no such token, or it is not your organisation's.",
            "Check the token's id, the part after 'esc_…_' that begins with 0.",
        )
