"""Every error as a problem document (RFC 9457), by the one table from families to statuses."""

from __future__ import annotations

import dataclasses
import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

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

MEDIA_TYPE = "application/problem+json"

# Most specific first: the first family that an error belongs to decides.
STATUS_OF_FAMILY: tuple[tuple[type[EscrowError], int], ...] = (
    (InvalidInput, 422),
    (NotAuthenticated, 401),
    (NotPermitted, 403),
    (Refused, 409),
    (NotFound, 404),
    (Tampered, 500),
    (Unavailable, 503),
)

# What a status tells, in the words of the page for users.
_MEANINGS = {
    400: "The body cannot be read as what it says it is.",
    401: "No token, or one that does not hold.",
    403: "The token's holder may not do this.",
    404: "There is none, or it is not yours: the two look the same.",
    409: "Well-formed, but not now or not like this.",
    422: "The request has not the form that this call takes, or breaks a stated limit.",
    500: "A proof does not hold; a person is looking at it.",
    503: "Something of ours is out of reach; try again after 'Retry-After'.",
}

# What the framework answers in two words, in ours.
_PLAIN = {
    404: "No call of this service has this address.",
    405: "The call at this address takes another method.",
}

_log = logging.getLogger("escrow.portal")


class Problem(BaseModel):
    """A problem document: what is wrong, its stable code, and what the reader can do."""

    type: str = Field(description="urn:escrow:problem:<code>")
    title: str = Field(description="What is wrong, in one sentence.")
    status: int
    code: str = Field(description="Stable; see docs/errors.md.")
    remedy: str = Field(description="What the reader can do about it.")
    detail: list[dict[str, object]] | None = Field(
        default=None, description="One entry for each place in the input that is wrong."
    )


def status_of(error: EscrowError) -> int:
    """Return the HTTP status of an error of the service."""
    return next((status for family, status in STATUS_OF_FAMILY if isinstance(error, family)), 500)


def problem(error: EscrowError) -> Problem:
    """Return the problem document of an error."""
    return Problem(
        type=f"urn:escrow:problem:{error.code}",
        title=error.reason,
        status=status_of(error),
        code=error.code,
        remedy=error.remedy,
        detail=places_of(error),
    )


def places_of(error: EscrowError) -> list[dict[str, object]] | None:
    """Return the places in the input that an error names, each as a mapping; None when none."""
    problems = getattr(error, "problems", None) or ()
    return [dataclasses.asdict(one) for one in problems] or None


def problem_headers(error: EscrowError) -> dict[str, str]:
    """Return the headers that go with an error's status."""
    if isinstance(error, Unavailable):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="escrow"'}
    return {}


def problem_response(error: EscrowError) -> JSONResponse:
    """Return the HTTP answer for an error."""
    document = problem(error)
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=document.status,
        media_type=MEDIA_TYPE,
        headers=problem_headers(error),
    )


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    @app.exception_handler(EscrowError)
    async def _ours(_: Request, error: EscrowError) -> JSONResponse:
        if isinstance(error, Tampered):
            _log.critical("a proof does not hold: %s (%s)", error.reason, error.code)
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        ours = InvalidInput(
            "The request does not have the form that this call takes.",
            "Correct the places under 'detail'; the form is in /api/v1/openapi.json.",
        )
        # The values sent are left out: they may be secrets.
        places = [
            {"place": ".".join(map(str, item["loc"])), "problem": item["msg"]}
            for item in error.errors()
        ]
        document = problem(ours).model_dump(exclude_none=True) | {"detail": places}
        return JSONResponse(document, status_code=422, media_type=MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def _plain(_: Request, error: HTTPException) -> JSONResponse:
        document = Problem(
            type=f"urn:escrow:problem:http.{error.status_code}",
            title=_PLAIN.get(error.status_code, f"{error.detail}."),
            status=error.status_code,
            code=f"http.{error.status_code}",
            remedy="Check the address; the calls that there are stand in /api/v1/openapi.json.",
        )
        return JSONResponse(
            document.model_dump(exclude_none=True),
            status_code=error.status_code,
            media_type=MEDIA_TYPE,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def _bug(_: Request, error: Exception) -> JSONResponse:
        _log.exception("a request failed", exc_info=error)
        ours = Unavailable(
            "The service met an error of its own.",
            "Nothing that was acknowledged is lost; try again, and tell the operator if it stays.",
        )
        return problem_response(ours)


def documented(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return the ``responses`` of a route that reads, for whoever has a token.

    Args:
        statuses: problem statuses beside those that every such route has.
    """
    return documented_open(401, *statuses)


def documented_change(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return the ``responses`` of an unsafe route.

    It takes a body and an ``Idempotency-Key``, so it can be unreadable, and conflict.
    """
    return documented(400, 409, *statuses)


def documented_open(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return the ``responses`` of a route that takes no token."""
    # 500: a proof does not hold; 422: the request has not the form; 503: out of reach for now.
    return {
        status: {
            "model": Problem,
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({422, 500, 503, *statuses})
    }
