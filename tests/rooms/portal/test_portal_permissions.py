"""Who is let in where: every route, every role, of the thing's own parties and of strangers.

The thing is always northwind's, or of the agreement between northwind, the bank and its agents. A
route that is not in the table is a red test, and so is a refusal that the OpenAPI does not tell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import new_id
from escrow.testing.endings import WORDS

# Let in, whatever the rooms then say of the matter.
IN = "in"

_PARTIES = ("operator", "vendor", "beneficiary", "agent", "auditor")
_STRANGERS = ("other vendor", "other beneficiary", "other agent", "other auditor")
WHO = (*_PARTIES, *_STRANGERS, None)

TABLE = """
                                                     of the parties      of strangers    nobody
                                                     op  ven ben agt aud ven ben agt aud
POST   /setup                                        401 401 401 401 401 401 401 401 401 401
GET    /whoami                                       in  in  in  in  in  in  in  in  in  401
POST   /organisations                                in  403 403 403 403 403 403 403 403 401
GET    /organisations                                in  in  in  in  in  in  in  in  in  401
POST   /organisations/{slug}/members                 in  in  404 404 404 404 404 404 404 401
POST   /members/{member_id}/keys                     in  in  404 404 404 404 404 404 404 401
POST   /members/{member_id}/erasure                  in  in  404 404 404 404 404 404 404 401
POST   /tokens                                       in  in  404 404 404 404 404 404 404 401
GET    /tokens                                       in  in  in  in  in  in  in  in  in  401
DELETE /tokens/{token_id}                            in  in  404 404 404 404 404 404 404 401
POST   /products                                     in  in  404 404 404 404 404 404 404 401
GET    /products                                     in  in  in  in  in  in  in  in  in  401
GET    /products/{vendor}/{product}                  in  in  in  in  in  404 404 404 404 401
GET    /products/{vendor}/{product}/status           in  in  in  in  in  404 404 404 404 401
POST   /products/{vendor}/{product}/deposits         403 in  403 403 403 404 404 404 404 401
GET    /products/{vendor}/{product}/deposits         in  in  in  in  in  404 404 404 404 401
GET    /products/{vendor}/{product}/deposits/{number} in in  in  in  in  404 404 404 404 401
GET    /deposits/{deposit_id}                        in  in  in  in  in  404 404 404 404 401
POST   /deposits/{deposit_id}/finish                 403 in  403 403 403 404 404 404 404 401
DELETE /deposits/{deposit_id}                        403 in  403 403 403 404 404 404 404 401
GET    /deposits/{deposit_id}/receipt                403 in  403 403 403 404 404 404 404 401
GET    /deposits/{deposit_id}/report                 403 in  in  in  in  404 404 404 404 401
GET    /deposits/{deposit_id}/manifest               403 in  403 403 403 404 404 404 404 401
GET    /deposits/{deposit_id}/log                    403 in  403 403 403 404 404 404 404 401
POST   /agreements/check                             in  in  in  in  in  in  in  in  in  401
POST   /agreements                                   in  in  in  403 404 in  in  403 404 401
GET    /agreements                                   in  in  in  in  in  in  in  in  in  401
GET    /agreements/{agreement_id}                    in  in  in  in  in  404 404 404 404 401
GET    /agreements/{agreement_id}/text               in  in  in  in  in  404 404 404 404 401
GET    /agreements/{agreement_id}/missing-deposits   in  in  in  in  in  404 404 404 404 401
GET    /agreements/{agreement_id}/status             in  in  in  in  in  404 404 404 404 401
POST   /agreements/{agreement_id}/acts               403 in  in  in  403 404 404 404 404 401
POST   /agreements/{agreement_id}/ceremony           in  403 403 in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/shares             403 403 403 in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/sealing-key        in  in  in  in  in  404 404 404 404 401
POST   /agreements/{agreement_id}/canary-shares      403 403 403 in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/canary-shares      403 403 403 in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/recipients         in  in  in  in  in  404 404 404 404 401
GET    /agreements/{agreement_id}/recipient-canaries 403 in  in  in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/custody            in  in  in  in  in  404 404 404 404 401
GET    /agreements/{agreement_id}/panel              in  403 403 in  403 404 404 404 404 401
POST   /custody/sessions                             in  403 403 in  403 404 404 404 404 401
GET    /custody/sessions/{session_id}                in  403 403 in  403 404 404 404 404 401
GET    /custody/sessions/{session_id}/challenge      403 403 403 in  403 404 404 404 404 401
POST   /custody/sessions/{session_id}/answers        403 403 403 in  403 404 404 404 404 401
POST   /custody/sessions/{session_id}/carry-out      in  403 403 in  403 404 404 404 404 401
POST   /agreements/{agreement_id}/endings            403 in  in  in  403 404 404 404 404 401
GET    /agreements/{agreement_id}/endings            in  in  in  in  in  404 404 404 404 401
GET    /endings/{ending_id}                          in  in  in  in  in  404 404 404 404 401
GET    /endings/{ending_id}/papers/{sha256}          403 in  in  in  403 404 404 404 404 401
GET    /endings/{ending_id}/confirmation             403 403 403 in  403 404 404 404 404 401
GET    /endings/{ending_id}/certificate              in  in  in  in  in  404 404 404 404 401
GET    /products/{vendor}/{product}/retention        in  in  in  in  in  404 404 404 404 401
POST   /agreements/{agreement_id}/requests           403 in  in  in  403 404 404 404 404 401
GET    /requests                                     in  in  in  in  in  in  in  in  in  401
GET    /requests/{request_id}                        in  in  in  in  in  404 404 404 404 401
POST   /requests/{request_id}/acts                   403 in  in  in  403 404 404 404 404 401
GET    /requests/{request_id}/papers/{sha256}        403 in  in  in  403 404 404 404 404 401
GET    /requests/{request_id}/confirmation           403 403 403 in  403 404 404 404 404 401
POST   /requests/{request_id}/confirmations          403 403 403 in  403 404 404 404 404 401
GET    /requests/{request_id}/release                403 403 in  403 403 404 404 404 404 401
GET    /requests/{request_id}/certificate            in  in  in  in  in  404 404 404 404 401
GET    /requests/{request_id}/files/{file_id}        403 403 in  403 403 404 404 404 404 401
GET    /requests/{request_id}/images/{sha256}        403 403 in  403 403 404 404 404 404 401
GET    /notices                                      in  404 404 404 404 404 404 404 404 401
POST   /notices/{notice_id}/retry                    in  404 404 404 404 404 404 404 404 401
GET    /trust-root                                   in  in  in  in  in  in  in  in  in  in
GET    /ledger/checkpoint                            in  in  in  in  in  in  in  in  in  in
GET    /health                                       in  in  in  in  in  in  in  in  in  in
"""

MEMBER = {"name": "Max", "email": "max@northwind.example", "role": "vendor"}

# Bodies that are in form, so that it is the permission that answers.
SENT = {
    "POST /setup": {"one_time_token": "esc_none", "name": "Eve", "email": "eve@example.org"},
    "POST /organisations": {"slug": "newcomers", "name": "Newcomers"},
    "POST /organisations/{slug}/members": MEMBER,
    "POST /members/{member_id}/keys": {"signing_key": None},
    "POST /tokens": {"organisation": "northwind", "role": "vendor"},
    "POST /products": {"vendor": "northwind", "slug": "another", "name": "Another"},
    "POST /agreements/{agreement_id}/acts": {"payload": "none"},
    "POST /agreements/{agreement_id}/endings": {"envelope": {}, "papers": []},
    "POST /agreements/{agreement_id}/requests": {"envelope": {}, "papers": []},
    "POST /requests/{request_id}/acts": {"envelope": {}, "papers": []},
    "POST /requests/{request_id}/confirmations": {
        "envelope": {},
        "shares": [{"epoch": 1, "index": 1, "file": "AAAA"}],
    },
    "POST /custody/sessions": {"purpose": "drill", "agreements": ["AGREEMENT"]},
    "POST /custody/sessions/{session_id}/answers": {"envelope": {}, "document": "AAAA"},
    "POST /agreements/{agreement_id}/canary-shares": {"recipient": "age1none", "file": "AAAA"},
}


@dataclass(frozen=True)
class Row:
    """A route and what each of :data:`WHO` gets."""

    method: str
    route: str
    expected: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    def path(self, world) -> str:
        """The route with northwind's things; a fresh one where it may be gone afterwards."""
        names = {"vendor": "northwind", "product": "ledger-core", "slug": "northwind"}
        names |= {"number": "1", "agreement_id": world.agreement, "deposit_id": world.deposit_id}
        names |= {"request_id": world.request_id, "file_id": "prt_none"}
        names["sha256"] = world.request_subject().statement_sha256
        names |= {"notice_id": world.notice_id, "session_id": world.session_id}
        names |= {"notice_id": world.notice_id, "ending_id": world.ending_id}
        if self.route.startswith("/endings/"):
            names["sha256"] = sha256_hex(WORDS)
        if self.method == "DELETE":
            names |= {"deposit_id": world.draft()}
            names |= {"token_id": world.issue("doomed", "northwind", "vendor")}
        if "member_id" in self.route:
            mia = MEMBER | {"email": f"{new_id('mia')}@northwind.example"}
            path = "/organisations/northwind/members"
            names["member_id"] = world.do("POST", path, "operator", json=mia)["id"]
        asked = self.method == "GET" and self.route.endswith("/canary-shares")
        own = f"?recipient={world.cast.identity('agent_1').recipient}" if asked else ""
        own = "?key=ed25519:none" if self.route.endswith("/challenge") else own
        return self.route.format(**names) + own

    def body(self, world) -> object:
        """What is sent, about northwind's agreement."""
        text = json.dumps(SENT.get(str(self)))
        return json.loads(text.replace("AGREEMENT", world.agreement))


def _rows() -> list[Row]:
    lines = [line.split() for line in TABLE.strip().splitlines() if "/" in line]
    return [Row(method, route, tuple(cells)) for method, route, *cells in lines]


ROWS = _rows()


def test_every_route_is_declared(world) -> None:
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in world.do("GET", "/openapi.json")["paths"].items()
        for method in item
    }
    assert described == set(map(str, ROWS))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_who_is_let_in(world, row: Row) -> None:
    path, seen = row.path(world), []
    for who in WHO:
        answer = world.ask(row.method, path, who, json=row.body(world))
        assert answer.status_code < 500
        seen.append(str(answer.status_code) if answer.status_code in (401, 403, 404) else IN)
    assert dict(zip(WHO, seen, strict=True)) == dict(zip(WHO, row.expected, strict=True))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_refusal_is_documented(world, row: Row) -> None:
    item = world.do("GET", "/openapi.json")["paths"][f"/api/v1{row.route}"][row.method.lower()]
    assert set(row.expected) - {IN} <= set(item["responses"])
