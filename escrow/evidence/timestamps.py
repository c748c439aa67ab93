"""Times that somebody else vouches for: RFC 3161 tokens, asked for and checked.

Guarantees: a :class:`VerifiedTime` was signed over exactly these bytes by an authority that the
trust root names, whose certificate was valid at that time. Checking is offline. It does not say
that the authority's clock is right; why one word alone takes no right: docs/protocol/ledger.md.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from escrow.evidence.anchors import TimestampAuthority
from escrow.evidence.errors import TimestampUnavailable, TimestampWrong
from escrow.ground.certificates import read_certificate

# An authority answers in a fraction of a second; the other papers wait behind one that does not.
TIMEOUT_SECONDS = 10.0

# All of an answer: one that drips, byte by byte, would never run into the time that one read has.
ANSWER_SECONDS = 30.0

# A token with a chain of certificates has some six kilobytes.
MAX_TOKEN_BYTES = 64 * 1024

# RFC 3161, section 3.4.
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"

# SHA-256 (RFC 5754, section 2.2); weaker imprints are none.
_SHA256_OID = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True)
class VerifiedTime:
    """A time that an authority has signed for these bytes.

    Args:
        at: UTC, to the second or finer, as the authority states it.
        authority: its name in the trust root.
        accuracy: how far it may be off by its own word; zero where it states none.
    """

    at: datetime
    authority: str
    accuracy: timedelta

    @property
    def not_after(self) -> datetime:
        """The latest moment at which the token can have been made, if its clock is right."""
        return self.at + self.accuracy


class HttpAuthority:
    """An authority reached by HTTP (RFC 3161, section 3.4).

    Args:
        authority: as the trust root names it.
        transport: of the HTTP client; the network's own by default.
    """

    def __init__(
        self, authority: TimestampAuthority, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._authority = authority
        self._transport = transport

    def stamp(self, message: bytes) -> bytes:
        """Ask for a token, and take it only when it answers exactly what was asked.

        Raises:
            TimestampUnavailable: no answer, a refusal, or a token that does not hold.
        """
        # Only the digest leaves this process. The nonce makes an old answer of no use.
        request = (
            TimestampRequestBuilder()
            .data(message)
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        token = self._ask(request.as_bytes())
        try:
            verify_timestamp(token, message, (self._authority,), nonce=request.nonce)
        except TimestampWrong as problem:
            raise TimestampUnavailable(self._authority.name, problem.reason) from problem
        return token

    def _ask(self, query: bytes) -> bytes:
        until = time.monotonic() + ANSWER_SECONDS
        try:
            with (
                httpx.Client(
                    timeout=TIMEOUT_SECONDS, transport=self._transport, trust_env=False
                ) as client,
                client.stream(
                    "POST", self._authority.url, content=query, headers={"Content-Type": _QUERY}
                ) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise TimestampUnavailable(
                        self._authority.name, f"its answer is {answer.status_code}"
                    )
                token = b""
                for block in answer.iter_bytes():
                    token += block
                    if time.monotonic() > until:
                        raise TimestampUnavailable(self._authority.name, "its answer drips")
                    if len(token) > MAX_TOKEN_BYTES:
                        raise TimestampUnavailable(self._authority.name, "its answer has no end")
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise TimestampUnavailable(self._authority.name, type(problem).__name__) from problem
        return token


def verify_timestamp(
    unverified_token: bytes,
    message: bytes,
    authorities: Sequence[TimestampAuthority],
    *,
    nonce: int | None = None,
) -> VerifiedTime:
    """Return the time when an authority of the trust root signed it for these bytes.

    1. It is a timestamp response. 2. Its imprint is SHA-256 of the message. 3. One of the
    authorities' certificates bears out the signature, was valid at that time and is meant for
    timestamps. 4. The nonce is the one that was sent, where one is given.

    Args:
        unverified_token: DER of the response (``.tsr``).
        message: the bytes themselves, not their digest.
        authorities: of the trust root.
        nonce: of the request; None when an old token is read back.

    Raises:
        TimestampWrong: a question is answered no.
    """
    # 1. form
    response = _decoded(unverified_token)
    # 2. imprint
    imprint = response.tst_info.message_imprint
    if (
        imprint.hash_algorithm.dotted_string != _SHA256_OID
        or imprint.message != hashlib.sha256(message).digest()
    ):
        raise TimestampWrong("The timestamp is over something else.")
    # 3. signer, 4. nonce
    why = "the trust root names none"
    for one in authorities:
        try:
            _check_by(one, response, imprint.message, nonce)
        except (VerificationError, ValueError) as problem:
            why = str(problem)[:120]
            continue
        return VerifiedTime(response.tst_info.gen_time, one.name, _accuracy(response))
    raise TimestampWrong(f"No timestamp authority of the trust root bears it out: {why}.")


def _decoded(unverified_token: bytes) -> TimeStampResponse:
    if len(unverified_token) > MAX_TOKEN_BYTES:
        raise TimestampWrong("It is too long for a timestamp.")
    try:
        response = decode_timestamp_response(unverified_token)
        # A refusal decodes as well, and has no token in it.
        _ = response.tst_info
    except ValueError as problem:
        raise TimestampWrong("It is no timestamp response, or one that refuses.") from problem
    return response


def _check_by(
    one: TimestampAuthority, response: TimeStampResponse, digest: bytes, nonce: int | None
) -> None:
    certificates = [read_certificate(pem) for pem in one.certificates]
    VerifierBuilder(roots=certificates, nonce=nonce).build().verify(response, digest)


def _accuracy(response: TimeStampResponse) -> timedelta:
    stated = response.tst_info.accuracy
    # RFC 3161 lets an authority leave it out; the library's type does not say so.
    if stated is None:
        return timedelta()
    return timedelta(
        seconds=stated.seconds or 0,
        milliseconds=stated.millis or 0,
        microseconds=stated.micros or 0,
    )
