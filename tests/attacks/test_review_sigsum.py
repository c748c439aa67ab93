"""What a stranger can make the public log's routes do: nothing but answer, in bounded memory."""

from __future__ import annotations

import asyncio

import pytest

from escrow.portal import sigsum
from escrow.portal.sigsum import SigsumApp
from escrow.testing.ledgers import LedgerWorld

ON_SQLITE_ALONE = True


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    made = LedgerWorld(tmp_path_factory.mktemp("log"))
    made.grow(600)
    yield made
    made.close()


def ask(app: SigsumApp, path: str, method: str = "GET") -> tuple[int, bytes]:
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    async def receive() -> dict:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "path": f"/sigsum/v1{path}", "headers": []}
    asyncio.run(app({**scope, "root_path": "/sigsum/v1"}, receive, send))
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


HASH = "ab" * 32


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/get-leaves/0/999999999999999999", 200),
        ("/get-leaves/999999999999999998/999999999999999999", 404),
        ("/get-leaves/0/9999999999999999999", 400),
        (f"/get-leaves/0/{'9' * 5_000}", 400),
        ("/get-leaves/-1/5", 400),
        ("/get-leaves/+1/5", 400),
        ("/get-leaves/01/5", 400),
        ("/get-leaves/5/5", 400),
        ("/get-leaves/0/٣", 400),
        ("/get-leaves/0/5\n", 400),
        ("/get-leaves/0/1e3", 400),
        ("/get-leaves/0/\x00", 400),
        ("/get-leaves//5", 400),
        ("/get-leaves/0", 404),
        ("/get-leaves/0/5/6", 404),
        (f"/get-inclusion-proof/999999999999999999/{HASH}", 404),
        (f"/get-inclusion-proof/600/{HASH}", 404),
        (f"/get-inclusion-proof/600/{HASH.upper()}", 400),
        (f"/get-inclusion-proof/600/{HASH}\n", 400),
        (f"/get-inclusion-proof/1/{HASH}", 400),
        ("/get-consistency-proof/0/5", 400),
        ("/get-consistency-proof/5/5", 400),
        ("/get-consistency-proof/1/999999999999999999", 404),
        ("/../api/v1/organisations", 404),
        ("", 404),
    ],
)
def test_what_is_asked_for(world, path, status) -> None:
    assert ask(SigsumApp(world.database, world.keys.log), path)[0] == status


def test_only_reading(world) -> None:
    app = SigsumApp(world.database, world.keys.log)
    assert ask(app, "/get-tree-head", "HEAD")[0] == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(app, "/get-tree-head", method)[0] == 405


def test_answers_that_are_asked_for_in_many_ways_take_no_memory(world, monkeypatch) -> None:
    monkeypatch.setattr(sigsum, "MAX_KEPT_CHARS", 300_000)
    app = SigsumApp(world.database, world.keys.log)
    for start in range(12):
        assert ask(app, f"/get-leaves/{start}/{start + 512 - start % 2}")[0] == 200
    for slashes in range(1, 9):
        assert ask(app, f"{'/' * slashes}get-leaves/0/3{'/' * slashes}")[0] == 200
    kept = list(app._kept)
    assert sum(len(text) for text in app._kept.values()) <= 300_000
    assert len([one for one in kept if "get-leaves/0/3" in one]) == 1
    # Kept is what was asked for last, and it is the same answer.
    before = ask(app, "/get-leaves/0/3")
    assert before == ask(SigsumApp(world.database, world.keys.log), "/get-leaves/0/3")
