"""The text of a token: ``esc_<env>_<id>_<secret>_<crc>``.

Recognisable without asking anybody: a scanner of repositories finds it by its form, and the check
digits tell a typing error from a token that is not valid. They are no protection; the secret is.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass

from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import TokenId
from escrow.ground.settings import Environment
from escrow.parties.errors import TokenMalformed, TokenOfOtherService

# 43 of 62 characters hold 256 bits, so that a plain hash of the secret is enough at rest.
_SECRET_CHARS = 43
_ALPHABET = string.digits + string.ascii_letters

_WORD_OF_ENVIRONMENT: dict[Environment, str] = {
    "production": "prod",
    "demo": "demo",
    "development": "dev",
}

_FORM = r"esc_([a-z]{2,8})_([0-9a-hjkmnp-tv-z]{26})_([0-9A-Za-z]{43})_([0-9a-f]{8})"
_WHOLE = re.compile(_FORM)

# What betrays one of our tokens, or a private key, in a text that is about to be stored.
_ANYWHERE = re.compile(rf"{_FORM}|AGE-SECRET-KEY-|PRIVATE KEY-----")


@dataclass(frozen=True)
class TokenText:
    """A token taken apart; well-formed, for this environment, not yet known to be valid."""

    token_id: TokenId
    secret_sha256: Sha256Hex


def write_token(env: Environment, token_id: TokenId) -> tuple[str, Sha256Hex]:
    """Return the text of a new token and the digest of its fresh secret.

    Args:
        env: of this installation.
        token_id: ``tok_…``; its 26 characters stand in the text.
    """
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    body = f"esc_{_WORD_OF_ENVIRONMENT[env]}_{token_id.removeprefix('tok_')}_{secret}"
    return f"{body}_{_check_digits(body)}", sha256_hex(secret.encode())


def parse_token(env: Environment, unverified_text: str) -> TokenText:
    """Return the parts of a token's text.

    Raises:
        TokenMalformed: other form, or the check digits do not match.
        TokenOfOtherService: of another environment.
    """
    match = _WHOLE.fullmatch(unverified_text)
    if match is None or _check_digits(unverified_text.rpartition("_")[0]) != match[4]:
        raise TokenMalformed
    if match[1] != _WORD_OF_ENVIRONMENT[env]:
        raise TokenOfOtherService(match[1], _WORD_OF_ENVIRONMENT[env])
    return TokenText(TokenId(f"tok_{match[2]}"), sha256_hex(match[3].encode()))


def holds_secret(text: str) -> bool:
    """Tell whether a text holds a token or a private key."""
    return _ANYWHERE.search(text) is not None


def _check_digits(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
