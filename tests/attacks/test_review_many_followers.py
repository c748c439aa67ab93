"""Somebody with one token follows logs from many connections, to keep the others out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from escrow.deposits import records
from escrow.ground.identifiers import DepositId
from escrow.testing.portal import PortalWorld

# More than the threads that all routes share (anyio gives 40).
FOLLOWERS = 48

# A loaded machine is slow; a line that is followed stays open for as long as its reader likes.
PATIENCE_SECONDS = 30


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PortalWorld]:
    made = PortalWorld(tmp_path)
    made.set_up()
    made.bring_into_force()
    yield made
    made.close()


def _sealed(world: PortalWorld) -> str:
    """Return a deposit that nobody verifies, so that its log is silent."""
    draft = DepositId(world.draft())
    with world.database.writing() as session:
        row = records.deposit_by_id(session, draft)
        assert row is not None
        row.state, row.number = "sealed", 1
    return draft


def _client(limits: httpx.Limits) -> httpx.Client:
    return httpx.Client(limits=limits, trust_env=False, timeout=PATIENCE_SECONDS)


def test_many_followers_of_a_silent_log_leave_the_portal_to_others(world: PortalWorld) -> None:
    path = f"{world.client.base_url}deposits/{_sealed(world)}/log"
    vendor = {"Authorization": f"Bearer {world.tokens['vendor']}"}
    limits = httpx.Limits(max_connections=FOLLOWERS)
    with ExitStack() as open_lines, _client(limits) as many:
        for _ in range(FOLLOWERS):
            open_lines.enter_context(many.stream("GET", path, headers=vendor))
        answer = httpx.get(
            f"{world.client.base_url}whoami", headers=vendor, timeout=PATIENCE_SECONDS
        )
    assert answer.status_code == httpx.codes.OK
