"""Kept answers on a deposit's status: given for no moment longer than they are true."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.ground.changes import CommitWatch
from escrow.parties.permissions import Role
from escrow.portal import standing_answers
from escrow.portal.routes import deposits
from escrow.testing.releases import ReleaseWorld

# PostgreSQL has no number that every commit changes; there nothing is kept.
ON_SQLITE_ALONE = True

IN_A_MINUTE = timedelta(minutes=1).total_seconds()


@pytest.fixture
def deposit(release_world: ReleaseWorld) -> str:
    return release_world.do("GET", _newest(release_world), "vendor")["id"]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every answer that was really made: the ids of the deposits."""
    answers: list[str] = []
    described = deposits._described

    def counted(session, asker, row):
        answers.append(row.id)
        return described(session, asker, row)

    monkeypatch.setattr(deposits, "_described", counted)
    return answers


def _newest(world: ReleaseWorld) -> str:
    return f"{world.product_path}/deposits/newest"


def test_an_answer_is_made_once_while_nothing_is_committed(release_world, deposit, made) -> None:
    release_world.do("GET", f"/deposits/{deposit}", "vendor")
    first = release_world.ask("GET", f"/deposits/{deposit}", "vendor")
    made.clear()
    again = release_world.ask("GET", f"/deposits/{deposit}", "vendor")
    assert (again.json(), made) == (first.json(), [])
    assert again.headers["etag"] == first.headers["etag"]


def test_whoever_knows_the_answer_is_told_only_that(release_world, deposit, made) -> None:
    tag = release_world.ask("GET", f"/deposits/{deposit}", "vendor").headers["etag"]
    known = {"If-None-Match": f'"other", W/{tag}'}
    for _ in range(3):
        answer = release_world.ask("GET", f"/deposits/{deposit}", "vendor", headers=known)
        assert (answer.status_code, answer.content) == (304, b"")
    # The first may note the token's use; from the second on one is kept.
    assert len(made) <= 2


def test_each_class_of_readers_has_an_answer_of_its_own(release_world, deposit) -> None:
    for _ in range(2):
        seen = release_world.do("GET", f"/deposits/{deposit}", "vendor")
        others = release_world.do("GET", f"/deposits/{deposit}", "beneficiary")
        assert ("parts" in seen, "parts" in others) == (True, False)


def test_no_token_and_a_wrong_one_get_nothing_that_is_kept(release_world, deposit) -> None:
    for _ in range(2):
        release_world.do("GET", f"/deposits/{deposit}", "vendor")
    assert release_world.ask("GET", f"/deposits/{deposit}").status_code == 401
    wrong = {"Authorization": f"Bearer {release_world.tokens['vendor']}x"}
    assert release_world.ask("GET", f"/deposits/{deposit}", headers=wrong).status_code == 401


def test_a_revoked_token_is_refused_at_the_next_call(release_world, deposit) -> None:
    token = release_world.issue("brief", release_world.cast.vendor, Role.VENDOR)
    for _ in range(3):
        release_world.do("GET", f"/deposits/{deposit}", "brief")
    release_world.do("DELETE", f"/tokens/{token}", "operator")
    assert release_world.ask("GET", f"/deposits/{deposit}", "brief").status_code == 401


def test_an_expired_token_is_refused_though_nothing_was_committed(release_world, deposit) -> None:
    for _ in range(3):
        release_world.do("GET", f"/deposits/{deposit}", "vendor")
    release_world.clock.move(timedelta(days=400).total_seconds())
    assert release_world.ask("GET", f"/deposits/{deposit}", "vendor").status_code == 401


def test_the_use_of_a_token_is_still_noted_every_minute(release_world, deposit, made) -> None:
    for _ in range(3):
        release_world.do("GET", f"/deposits/{deposit}", "vendor")
    made.clear()
    release_world.clock.move(IN_A_MINUTE)
    release_world.do("GET", f"/deposits/{deposit}", "vendor")
    assert made == [deposit]


def test_a_verdict_shows_at_the_next_call(release_world) -> None:
    deposit = release_world.deposit()
    for _ in range(3):
        before = release_world.do("GET", f"/deposits/{deposit}", "vendor")
    release_world.verify(deposit)
    after = release_world.do("GET", f"/deposits/{deposit}", "vendor")
    assert (before["verdict"], after["verdict"]) == (None, "pass")


def test_a_refusal_is_never_kept(release_world, deposit) -> None:
    release_world.issue("stranger", "strangers", Role.VENDOR)
    for _ in range(3):
        assert release_world.ask("GET", f"/deposits/{deposit}", "stranger").status_code == 404


def test_no_more_is_kept_than_was_agreed(
    release_world, deposit, made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_answers, "MAX_KEPT", 1)
    for who in ("vendor", "vendor", "beneficiary", "beneficiary"):
        release_world.do("GET", f"/deposits/{deposit}", who)
    made.clear()
    release_world.do("GET", f"/deposits/{deposit}", "beneficiary")
    release_world.do("GET", f"/deposits/{deposit}", "vendor")
    assert made == [deposit]


def test_every_commit_changes_the_version_and_a_rollback_does_not(release_world) -> None:
    watch = CommitWatch(release_world.database)
    first = watch.version()
    with release_world.database.reading():
        assert watch.version() == first
    release_world.ledger.append()
    assert watch.version() != first
