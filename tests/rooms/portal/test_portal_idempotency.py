"""Every unsafe call with an ``Idempotency-Key`` is done once, for whoever sent it, for a day.

The calls come from the application's own table of routes; one that takes no key, or for which
nothing is said here, is a red test.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from escrow.endings.subjects import opening_subject
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, RequestId, new_id
from escrow.notices import records as notices
from escrow.operations.tables import metadata
from escrow.parties.idempotency import LIFETIME
from escrow.parties.permissions import Role
from escrow.releases.subjects import act_subject
from escrow.testing.custody import CustodyWorld
from escrow.testing.releases import EVIDENCE, STATEMENT, ReleaseWorld, SettledFolder
from escrow.vault.ceremony import open_share_file, seal_canary_share
from tests.rooms.cli.lines import Things
from tests.rooms.portal.conftest import post_notice

UNSAFE = {"post", "put", "patch", "delete"}

# Safe to send twice without a key: the one-time token of the first is used up; the other reads.
WITHOUT_KEY = {"POST /setup", "POST /agreements/check"}

ROWS = metadata.sorted_tables


@dataclass(frozen=True)
class Call:
    """One unsafe call as somebody may make it."""

    who: str
    path: str
    json: object = None
    content: str | None = None


class Calls:
    """A good call for each route; the world is made ready for it when it is asked for."""

    def __init__(self, world: CustodyWorld) -> None:
        self._world = world
        self._things = Things(world, {})
        self._agreement = f"/agreements/{world.agreement}"

    def __getitem__(self, route: str) -> Call:
        """Return the call; ``KeyError`` for a route that is not said here."""
        makers = {
            "POST /organisations": self._plain("/organisations", slug="new", name="New"),
            "POST /organisations/{slug}/members": self._plain(
                "/organisations/northwind/members", name="Max", email="m@n.example", role="vendor"
            ),
            "POST /members/{member_id}/keys": self._keys,
            "POST /members/{member_id}/erasure": lambda: Call(
                "operator", f"/members/{self._of('member')}/erasure"
            ),
            "POST /tokens": self._plain("/tokens", organisation="northwind", role="vendor"),
            "DELETE /tokens/{token_id}": lambda: Call(
                "operator", f"/tokens/{self._of('token_id')}"
            ),
            "POST /products": self._plain("/products", vendor="northwind", slug="x", name="X"),
            "POST /products/{vendor}/{product}/deposits": lambda: Call(
                "vendor", f"{self._world.product_path}/deposits"
            ),
            "POST /deposits/{deposit_id}/finish": lambda: Call(
                "vendor", f"/deposits/{self._of('filled')}/finish"
            ),
            "DELETE /deposits/{deposit_id}": lambda: Call(
                "vendor", f"/deposits/{self._of('draft')}"
            ),
            "POST /agreements": lambda: Call(
                "vendor", "/agreements", content=self._world.cast.text
            ),
            "POST /agreements/{agreement_id}/acts": self._acceptance,
            "POST /agreements/{agreement_id}/ceremony": lambda: Call(
                "operator", f"/agreements/{self._of('accepted')}/ceremony"
            ),
            "POST /agreements/{agreement_id}/canary-shares": self._canary_share,
            "POST /agreements/{agreement_id}/endings": self._hold,
            "POST /agreements/{agreement_id}/requests": self._request,
            "POST /requests/{request_id}/acts": self._consent,
            "POST /requests/{request_id}/confirmations": self._confirmation,
            "POST /notices/{notice_id}/retry": self._retry,
            "POST /custody/sessions": lambda: Call("agent_1", "/custody/sessions", self._drill()),
            "POST /custody/sessions/{session_id}/answers": self._answer,
            "POST /custody/sessions/{session_id}/carry-out": lambda: Call(
                "agent_1", f"/custody/sessions/{self._of('drill')}/carry-out"
            ),
        }
        return makers[route]()

    def _of(self, name: str) -> str:
        return self._things[name]

    @staticmethod
    def _plain(path: str, **json: str) -> Any:
        return lambda: Call("operator", path, json)

    def _keys(self) -> Call:
        body = {"age_recipient": self._of("recipient")}
        return Call("operator", f"/members/{self._of('member')}/keys", body)

    def _acceptance(self) -> Call:
        filed = self._of("filed")
        shown = self._world.do("GET", f"/agreements/{filed}", "vendor")
        subject = {"agreement_id": filed, "version": 1, "text_sha256": shown["text_sha256"]}
        signed = self._world.signed("vendor", "accept-agreement", subject)
        return Call("vendor", f"/agreements/{filed}/acts", signed)

    def _canary_share(self) -> Call:
        world = self._world
        dealt = world.do("GET", f"{self._agreement}/shares", "agent_2")["shares"][0]["file"]
        share = open_share_file(base64.b64decode(dealt), world.cast.identity("agent_2"))
        opener = world.cast.identity("agent_1").recipient
        file = base64.b64encode(seal_canary_share(share, opener)).decode()
        body = {"recipient": str(opener), "file": file}
        return Call("agent_2", f"{self._agreement}/canary-shares", body)

    def _request(self) -> Call:
        subject = self._world.request_subject().to_json()
        papers = [
            {"kind": kind, "name": f"{kind}.txt", "content": base64.b64encode(content).decode()}
            for kind, content in (("statement", STATEMENT), ("court-record", EVIDENCE))
        ]
        envelope = self._world.signed("beneficiary", "file-release-request", subject)
        body = {"envelope": envelope, "papers": papers}
        return Call("beneficiary", f"{self._agreement}/requests", body)

    def _hold(self) -> Call:
        world, digest = self._world, sha256_hex(STATEMENT)
        agreement, text = AgreementId(world.agreement), world.cast.agreement.text_sha256
        subject = opening_subject(agreement, 1, text, new_id("hld"), statement_sha256=digest)
        paper = base64.b64encode(STATEMENT).decode()
        papers = [{"kind": "statement", "name": "order.txt", "content": paper}]
        body = {"envelope": world.signed("vendor", "place-hold", subject), "papers": papers}
        return Call("vendor", f"{self._agreement}/endings", body)

    def _drill(self) -> dict[str, object]:
        return {"purpose": "drill", "agreements": [self._world.agreement]}

    def _answer(self) -> Call:
        body = self._world.answer_body(self._of("drill"), "agent_1")
        return Call("agent_1", f"/custody/sessions/{self._of('drill')}/answers", body)

    def _consent(self) -> Call:
        request = self._of("request")
        shown = self._world.do("GET", f"/requests/{request}", "vendor")
        agreement = AgreementId(self._world.agreement)
        subject = act_subject(agreement, RequestId(request), shown["request_act_sha256"])
        envelope = self._world.signed("vendor", "consent-to-release", subject)
        return Call("vendor", f"/requests/{request}/acts", {"envelope": envelope, "papers": []})

    def _confirmation(self) -> Call:
        approved = self._of("approved")
        body = self._world.confirmation_body(approved, "agent_1")
        return Call("agent_1", f"/requests/{approved}/confirmations", body)

    def _retry(self) -> Call:
        world = self._world
        posted = post_notice(world, world.agreement, "ada@northwind.example")
        with world.database.writing() as session:
            row = notices.hold(session, posted)
            assert row is not None
            row.failed_at = world.clock.now()
            notices.keep(session, row)
        return Call("operator", f"/notices/{posted}/retry")


@pytest.fixture
def release_world(settled_release: SettledFolder, tmp_path: Path) -> Iterator[CustodyWorld]:
    """The usual world, whose agents also answer sessions."""
    made = CustodyWorld.copied(settled_release, tmp_path / "release")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def calls(release_world: CustodyWorld) -> Calls:
    """The calls of a world of its own."""
    return Calls(release_world)


def send(
    world: ReleaseWorld, route: str, call: Call, key: str, who: str = "", body: str | None = None
) -> httpx.Response:
    """Send a call under a key, perhaps by another or with another body."""
    content = call.content if body is None else body
    json = call.json if body is None else None
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    method = route.split()[0]
    return world.ask(
        method, call.path, who or call.who, json=json, content=content, headers=headers
    )


def entries(world: ReleaseWorld) -> int:
    """Return how many entries the ledger has: whatever is done is in it."""
    with world.database.reading() as session:
        return int(
            session.connection().execute(sa.text("select count(*) from ledger_entry")).scalar_one()
        )


def _unsafe(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": item[method]
        for path, item in described["paths"].items()
        for method in item
        if method in UNSAFE
    }


@pytest.fixture(scope="session")
def described(settled_release: SettledFolder, tmp_path_factory) -> Iterator[dict[str, Any]]:
    """The application's description of itself."""
    world = ReleaseWorld.copied(settled_release, tmp_path_factory.mktemp("described"))
    try:
        yield world.do("GET", "/openapi.json")
    finally:
        world.close()


def _routes() -> list[str]:
    from escrow.portal import app

    found = [
        f"{method} {route.path}"
        for module in app._ROUTES
        for route in module.router.routes
        for method in sorted(route.methods or ())
        if method.lower() in UNSAFE
    ]
    return [route for route in found if route not in WITHOUT_KEY]


ROUTES = _routes()
EVERY = pytest.mark.parametrize("route", ROUTES)


def test_every_unsafe_route_takes_a_key(described) -> None:
    unsafe = _unsafe(described)
    taking = {
        route
        for route, item in unsafe.items()
        if any(one["name"] == "idempotency-key" for one in item.get("parameters", ()))
    }
    assert taking == set(unsafe) - WITHOUT_KEY == set(ROUTES)


@EVERY
def test_sent_twice_it_is_done_once_and_answered_the_same(calls, release_world, key, route) -> None:
    call = calls[route]
    first = send(release_world, route, call, key)
    assert first.is_success, first.text
    done = entries(release_world)
    again = send(release_world, route, call, key)
    assert entries(release_world) == done
    if route == "POST /tokens":
        # Its answer held the token, which is kept nowhere.
        assert again.json()["code"] == "parties.answer-not-kept"
    else:
        assert (again.status_code, again.content) == (first.status_code, first.content)


@EVERY
def test_key_with_another_body_is_refused(calls, release_world, key, route) -> None:
    call = calls[route]
    assert send(release_world, route, call, key).is_success
    done = entries(release_world)
    other = '{"name": "Other"}' if call.json is None else None
    changed = Call(call.who, call.path, _changed(call.json)) if other is None else call
    refused = send(release_world, route, changed, key, body=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "parties.idempotency-key-reused")
    assert refused.json()["remedy"]
    assert entries(release_world) == done


def _changed(json: object) -> object:
    """Return another body that has the same form."""
    assert isinstance(json, dict)
    return dict(reversed(list(json.items()))) if len(json) > 1 else {"signing_key": None, **json}


@EVERY
def test_another_principal_with_the_same_key_is_another_call(
    calls, release_world, key, route
) -> None:
    call = calls[route]
    release_world.issue("stranger", "strangers", Role.VENDOR)
    first = send(release_world, route, call, key)
    theirs = send(release_world, route, call, key, who="stranger")
    assert theirs.content != first.content
    assert theirs.json().get("code") != "parties.idempotency-key-reused"
    assert send(release_world, route, call, key).status_code in (first.status_code, 409)


# One whose note is in the transaction of the work, and one whose note comes after it.
@pytest.mark.parametrize("route", ["POST /products", "POST /agreements/{agreement_id}/requests"])
def test_key_is_forgotten_after_a_day(calls, release_world, key, route) -> None:
    call = calls[route]
    assert send(release_world, route, call, key).is_success
    release_world.clock.move(LIFETIME.total_seconds() - 1)
    kept = send(release_world, route, call, key)
    assert kept.is_success or kept.json()["code"] == "parties.answer-not-kept"
    release_world.clock.move(timedelta(seconds=1).total_seconds())
    later = send(release_world, route, call, key, body=call.content or "{}")
    assert later.json().get("code") != "parties.idempotency-key-reused"


def test_no_secret_of_a_token_is_stored(calls, release_world, key, tmp_path) -> None:
    first = send(release_world, "POST /tokens", calls["POST /tokens"], key).json()
    secret = first["token"].split("_")[3]
    files = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    with release_world.database.reading() as session:
        rows = session.connection()
        stored = [str(tuple(row)) for one in ROWS for row in rows.execute(one.select())]
    assert [row for row in stored if secret in row] == []
    assert any(first["id"] in row for row in stored)


def test_refusal_is_not_remembered(release_world, key) -> None:
    call = Call("vendor", "/organisations", {"slug": "new", "name": "New"})
    assert send(release_world, "POST /organisations", call, key).status_code == 403
    again = send(release_world, "POST /organisations", call, key, who="operator")
    assert again.status_code == 201
