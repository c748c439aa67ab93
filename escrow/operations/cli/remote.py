"""The command line's side of the HTTP API: where the service is, and one call."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from escrow import VERSION_HEADER
from escrow.ground.errors import (
    EscrowError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Refused,
    Tampered,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8420"
URL_VARIABLE = "ESCROW_URL"
TOKEN_VARIABLE = "ESCROW_TOKEN"  # noqa: S105 - the variable's name, not a token
TOKEN_FILE_VARIABLE = "ESCROW_TOKEN_FILE"  # noqa: S105 - likewise

# Sealing the last part of a large deposit waits for the disk; everything else answers at once.
CALL_TIMEOUT_SECONDS = 600.0

# A machine that is there accepts a connection in milliseconds, over a bad line in seconds.
CONNECT_TIMEOUT_SECONDS = 10.0

_FAMILY_OF_STATUS: Mapping[int, type[EscrowError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Refused,
    422: InvalidInput,
    500: Tampered,
}

# What TCP can name (RFC 9293, section 3.1: sixteen bits).
_PORTS = range(1, 2**16)

# Between what a status means and the least that is known of one that is not in the table.
_FIRST_OF_THEIRS, _FIRST_OF_OURS = 400, 500


class NoToken(InvalidInput):
    """A command that speaks to the service was given no token."""

    code = "cli.no-token"


class BadTokenFile(InvalidInput):
    """The file that is to hold the token cannot be read, or holds no token."""

    code = "cli.bad-token-file"


class BadAddress(InvalidInput):
    """What was typed is no address of the thing that is meant."""

    code = "cli.bad-address"


class NotOurService(Unavailable):
    """Something else than the service answers at its address."""

    code = "cli.not-our-service"

    def __init__(self, answer: str) -> None:
        super().__init__(
            f"What answers at {service_url()} is not this service: {answer}.",
            f"Set {URL_VARIABLE} to the service's own address, e.g. {DEFAULT_URL}.",
        )


class ServiceOut(Unavailable):
    """The service does not answer at its address."""

    code = "cli.service-out"


def service_url() -> str:
    """Return the service's address without a trailing slash."""
    return os.environ.get(URL_VARIABLE, DEFAULT_URL).rstrip("/")


def token(*, required: bool = True) -> str | None:
    """Return the caller's token from the environment or the file that it names.

    Raises:
        NoToken: there is none and the call needs one.
    """
    text = os.environ.get(TOKEN_VARIABLE)
    if not text and (path := os.environ.get(TOKEN_FILE_VARIABLE)):
        text = _token_in(Path(path))
    if not text and required:
        raise NoToken(
            "No token was given.",
            f"Put it into {TOKEN_VARIABLE}, or its file's path into {TOKEN_FILE_VARIABLE}.",
        )
    if text and not (text.isascii() and text.isprintable()):
        raise BadTokenFile(
            "The token holds characters that no token has.",
            "Give the whole of what was printed, which begins with esc_, and nothing else.",
        )
    return text or None


def _token_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadTokenFile(
            f"The token's file {path} cannot be read.",
            f"Check the path in {TOKEN_FILE_VARIABLE}, and that you may read it.",
        ) from problem


def product_path(text: str) -> str:
    """Return ``vendor/product`` as it stands in paths of the API.

    Raises:
        BadAddress: it is none.
    """
    vendor, _, product = text.partition("/")
    if not vendor or not product or "/" in product:
        raise BadAddress(
            f"{text!r} is no product's address.", "Write vendor/product, e.g. acme/ledger."
        )
    return f"{quote(vendor, safe='')}/{quote(product, safe='')}"


def id_path(text: str) -> str:
    """Return an id as it stands in paths of the API, whatever was typed."""
    return quote(text, safe="")


@contextmanager
def connection(*, authenticated: bool = True) -> Iterator[httpx.Client]:
    """Give a client for the service's API; transport errors become one clear sentence.

    Raises:
        ServiceOut: nothing answers there.
        NoToken: see :func:`token`.
        BadAddress: ``ESCROW_URL`` is no address.
    """
    import httpx

    headers = {}
    if authenticated:
        headers["Authorization"] = f"Bearer {token()}"
    try:
        with httpx.Client(
            base_url=f"{_checked_url()}/api/v1",
            headers=headers,
            timeout=httpx.Timeout(CALL_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            # The service's own address is asked directly, whatever proxy the shell is set to.
            trust_env=False,
        ) as client:
            yield client
    except (httpx.TransportError, httpx.StreamError) as problem:
        raise ServiceOut(
            f"The service at {service_url()} does not answer.",
            f"Start it with 'escrow serve', or set {URL_VARIABLE} to where it runs.",
        ) from problem


def _checked_url() -> str:
    """Return the service's address, which has the form of one.

    Raises:
        BadAddress: ``ESCROW_URL`` is no address.
    """
    import httpx

    try:
        url = httpx.URL(service_url())
        is_one = url.scheme in ("http", "https") and url.host and (url.port or 1) in _PORTS
        is_one = is_one and not any(map(str.isspace, service_url()))
    except (httpx.InvalidURL, UnicodeError):
        is_one = False
    if not is_one:
        raise BadAddress(
            f"{service_url()!r} is no address of a service.",
            f"Set {URL_VARIABLE} to one, e.g. {DEFAULT_URL}.",
        )
    return service_url()


def call(
    method: str,
    path: str,
    *,
    json: object = None,
    content: str | bytes | None = None,
    media_type: str | None = None,
    parameters: Mapping[str, str] | None = None,
    authenticated: bool = True,
) -> httpx.Response:
    """Make one call and return the answer when it is a success.

    Unsafe calls carry a fresh ``Idempotency-Key``, so that a retry by the transport does it once.

    Raises:
        EscrowError: what the service answered, of the family of its status.
    """
    headers = {} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())}
    if media_type:
        headers["Content-Type"] = media_type
    with connection(authenticated=authenticated) as client:
        answer = client.request(
            method, path, json=json, content=content, headers=headers, params=parameters
        )
    check_answer(answer)
    return answer


def public_text(path: str) -> str:
    """Return what the service answers to anybody at a path outside of its API, as text.

    Raises:
        NotOurService, ServiceOut: the answer is not the service's, or none.
    """
    with connection(authenticated=False) as client:
        answer = client.get(f"{service_url()}{path}")
    if VERSION_HEADER not in answer.headers:
        raise _stranger(answer)
    if not answer.is_success:
        raise NotOurService(f"it refuses {path[:80]} ({answer.text[:80].strip()})")
    return answer.text


def check_answer(answer: httpx.Response) -> None:
    """Return when the answer is a success, and the service's.

    Raises:
        EscrowError: the problem document, rebuilt.
        NotOurService, ServiceOut: the answer is not the service's.
    """
    status = answer.status_code
    if VERSION_HEADER not in answer.headers:
        raise _stranger(answer)
    if answer.is_success:
        return
    document = answer.json()
    family = _FAMILY_OF_STATUS.get(status) or (
        InvalidInput if _FIRST_OF_THEIRS <= status < _FIRST_OF_OURS else Unavailable
    )
    error = family(document["title"], document["remedy"])
    error.__dict__["code"] = document["code"]
    error.__dict__["detail"] = document.get("detail")
    raise error


def _stranger(answer: httpx.Response) -> EscrowError:
    """Return what to make of an answer that the service did not write."""
    status = answer.status_code
    if status >= _FIRST_OF_OURS:
        # A proxy in front of a service that is down: the address is right, it has to be waited.
        return ServiceOut(
            f"Something before the service at {service_url()} answers {status} for it.",
            "Try again later; tell the operator if it stays.",
        )
    if answer.is_redirect:
        where = answer.headers.get("Location", "elsewhere")[:200]
        return NotOurService(f"it sends on to {where}")
    return NotOurService(f"its answer ({status}) has another form")
