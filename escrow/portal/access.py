"""Who asks, and one unit of work for each request: the typed dependencies of the routes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Header, Query, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from escrow.ground.database import Session
from escrow.ground.errors import NotAuthenticated
from escrow.parties import idempotency, tokens
from escrow.parties.permissions import Principal
from escrow.portal.rooms import Rooms
from escrow.portal.standing_answers import is_known

JSON_MEDIA = "application/json"


class NoCredential(NotAuthenticated):
    """A call that needs a token came without one."""

    code = "request.no-token"

    def __init__(self) -> None:
        super().__init__(
            "This call needs a token.", "Send 'Authorization: Bearer esc_…' with the request."
        )


def rooms_of(request: Request) -> Rooms:
    """Return the rooms of the application that answers."""
    return cast(Rooms, request.app.state.rooms)


RoomsNeeded = Annotated[Rooms, Depends(rooms_of)]

# Refusing is ours, so that it is a problem document with a remedy.
BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="esc_…")


def principal_of(
    rooms: RoomsNeeded,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Principal:
    """Return whom the request's bearer token speaks for.

    Raises:
        NotAuthenticated: no token, or not a valid one.
    """
    text = bearer.credentials.strip() if bearer else ""
    if not text:
        raise NoCredential
    now = rooms.clock.now()
    with rooms.database.reading() as session:
        principal = tokens.authenticate(session, rooms.environment, text, now)
    if principal.is_use_due:
        with rooms.database.writing() as session:
            tokens.note_use(session, principal.token_id, now)
    return principal


Asker = Annotated[Principal, Depends(principal_of)]


@dataclass(frozen=True)
class Change:
    """An unsafe call on its way: done once, however often it is sent with one key."""

    rooms: Rooms
    asker: Principal
    scope: idempotency.Scope | None

    def perform(
        self, work: Callable[[Session], Mapping[str, object]], status: int = 201
    ) -> Response:
        """Do the work in one transaction and answer with its document.

        With an ``Idempotency-Key`` the answer is remembered in the same transaction.
        """
        now = self.rooms.clock.now()
        with self.rooms.database.writing() as session:
            if self.scope and (known := idempotency.recall(session, self.scope, now)):
                return _answer(known.text, known.status)
            text = json.dumps(work(session))
            if self.scope:
                answer = idempotency.Answer(status, text)
                idempotency.remember(session, self.scope, answer, now)
        return _answer(text, status)

    def perform_repeatable(
        self, work: Callable[[], Mapping[str, object]], status: int = 201
    ) -> Response:
        """Do work that opens its own transactions; it must be safe to do twice.

        A crash between the work and the note lets the work be done again, never half.
        """
        now = self.rooms.clock.now()
        with self.rooms.database.reading() as session:
            known = idempotency.recall(session, self.scope, now) if self.scope else None
        if known:
            return _answer(known.text, known.status)
        text = json.dumps(work())
        if self.scope:
            with self.rooms.database.writing() as session:
                answer = idempotency.Answer(status, text)
                idempotency.remember(session, self.scope, answer, now)
        return _answer(text, status)


async def change_of(
    request: Request,
    rooms: RoomsNeeded,
    asker: Asker,
    idempotency_key: Annotated[
        str | None, Header(description="The same key within 24 hours does it once.")
    ] = None,
) -> Change:
    """Return the unsafe call that this request is."""
    if idempotency_key is None:
        return Change(rooms, asker, None)
    route = f"{request.method} {request.url.path}?{request.url.query}"
    body = await request.body()
    return Change(rooms, asker, idempotency.scope_of(asker, route, idempotency_key, body))


# A number of a deposit or a version; every database that we use holds so large a one.
Number = Annotated[int, Query(ge=1, le=2**31 - 1)]

Changing = Annotated[Change, Depends(change_of)]


def tagged(request: Request, document: Mapping[str, object]) -> Response:
    """Answer with an ETag, and with 304 when the asker has seen exactly this."""
    text = json.dumps(document)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if is_known(tag, request.headers.getlist("If-None-Match")):
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=JSON_MEDIA, headers=headers)


def _answer(text: str, status: int) -> Response:
    return Response(text, status_code=status, media_type=JSON_MEDIA)
