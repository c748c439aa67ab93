"""The application: routes, git, tus and the public log under one roof."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escrow import VERSION_HEADER, __version__
from escrow.ground.changes import CommitWatch
from escrow.portal import problems
from escrow.portal.bodies import BoundedBodies
from escrow.portal.git import GitReceiveApp
from escrow.portal.rooms import Rooms
from escrow.portal.routes import (
    agreements,
    ceremonies,
    custody,
    deposits,
    endings,
    notices,
    parties,
    products,
    releases,
    reports,
    status,
)
from escrow.portal.sigsum import SigsumApp
from escrow.portal.standing_answers import StandingAnswers
from escrow.portal.tus import TusApp

API = "/api/v1"
GIT = "/git"
SIGSUM = "/sigsum/v1"

# In the order of the API's description.
_ROUTES = (
    parties,
    products,
    agreements,
    ceremonies,
    custody,
    deposits,
    endings,
    releases,
    reports,
    notices,
    status,
)


def make_app(rooms: Rooms) -> ASGIApp:
    """Return the whole application.

    Git pushes and uploads are raw ASGI: they read a body while they answer, or for hours; the
    rest is FastAPI.
    """
    api = FastAPI(
        title="Escrow",
        version=__version__,
        description="Software escrow that rebuilds every deposit, and whose claims can be checked.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    api.state.rooms = rooms
    problems.install(api)
    routes = APIRouter(prefix=API)
    for module in _ROUTES:
        _summarise(module.router)
        routes.include_router(module.router)
    api.include_router(routes)
    kept = StandingAnswers(
        BoundedBodies(api), f"{API}/deposits/", CommitWatch(rooms.database), rooms.clock
    )
    return Switch(
        kept,
        GitReceiveApp(rooms.gate, rooms.reception),
        TusApp(rooms.gate, rooms.desk),
        SigsumApp(rooms.database, rooms.trust_root.log),
    )


def _summarise(router: APIRouter) -> None:
    """Give each route the first line of its docstring as summary, the rest as description."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.summary, _, rest = route.description.partition("\n")
            route.description = rest.strip()


class Switch:
    """Sends a request to git, tus, the public log or the API by its path."""

    def __init__(self, api: ASGIApp, git: ASGIApp, tus: ASGIApp, sigsum: ASGIApp) -> None:
        self._api = api
        self._git = git
        self._tus = tus
        self._sigsum = sigsum

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(f"{GIT}/"):
            await self._git({**scope, "root_path": GIT}, receive, send)
        elif scope["type"] == "http" and path.startswith(f"{SIGSUM}/"):
            await self._sigsum({**scope, "root_path": SIGSUM}, receive, _signed_by_us(send))
        elif scope["type"] == "http" and _is_upload(path):
            await self._tus(scope, receive, _signed_by_us(send))
        else:
            await self._api(scope, receive, _signed_by_us(send))


def _signed_by_us(send: Send) -> Send:
    """Say on every answer whose it is: a client at a wrong address reads it before the body."""

    async def sign(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = (VERSION_HEADER.encode(), __version__.encode())
            message = {**message, "headers": [*message.get("headers", ()), own]}
        await send(message)

    return sign


def _is_upload(path: str) -> bool:
    parts = path.removeprefix(f"{API}/deposits/").split("/")
    return path.startswith(f"{API}/deposits/") and len(parts) > 1 and parts[1] == "uploads"
