"""Names of things: sortable random ids with a prefix, and the slugs that people type."""

from __future__ import annotations

import re
import secrets
import time
from typing import NewType

from escrow.ground.errors import InvalidInput

OrganisationId = NewType("OrganisationId", str)
MemberId = NewType("MemberId", str)
TokenId = NewType("TokenId", str)
ProductId = NewType("ProductId", str)
RepositoryId = NewType("RepositoryId", str)
AgreementId = NewType("AgreementId", str)
DepositId = NewType("DepositId", str)
PartId = NewType("PartId", str)
UploadId = NewType("UploadId", str)
DocumentId = NewType("DocumentId", str)
ExaminationId = NewType("ExaminationId", str)
RequestId = NewType("RequestId", str)

# 48 bits of milliseconds and 80 random bits, as in ULID: ids sort by time of birth and cannot
# be guessed from one another.
_TIME_CHARS = 10
_RANDOM_CHARS = 16
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"

# A slug stands in URLs, git remotes and file names on every system; 64 keeps paths short.
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class BadSlug(InvalidInput):
    """A name that is to stand in an address has characters that cannot."""

    code = "input.bad-slug"


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``dep_01kb2…``; the prefix tells a reader what it names."""
    stamp = _encode(time.time_ns() // 1_000_000, _TIME_CHARS)
    return f"{prefix}_{stamp}{_encode(secrets.randbits(80), _RANDOM_CHARS)}"


def check_slug(text: str, what: str) -> None:
    """Refuse a name that cannot stand in an address.

    Args:
        text: the name, as typed.
        what: what it names, for the sentence ("product", "repository").

    Raises:
        BadSlug: not 1 to 64 lower-case letters, digits, dots, dashes or underscores.
    """
    if not _SLUG.fullmatch(text) or ".." in text or text.endswith(".git"):
        raise BadSlug(
            f"The {what} name {text[:80]!r} cannot stand in an address.",
            "Use 1 to 64 of a-z, 0-9, '.', '-', '_', starting and ending with a letter or digit, "
            "and leave '.git' off.",
        )


def _encode(number: int, width: int) -> str:
    chars = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        chars.append(_CROCKFORD[digit])
    return "".join(reversed(chars))
