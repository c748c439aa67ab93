"""Two services on one PostgreSQL: each job is one's, and a dead one's jobs become the other's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engine.test_engine_kill import Installation, until
from tests.postgresql import PostgresqlServer

# A killed service's jobs are taken over after so long; the product waits for a minute.
TTL_SECONDS = "2"


@pytest.fixture
def here(bare_postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Installation]:
    here = Installation(tmp_path, bare_postgresql.url(tmp_path), TTL_SECONDS)
    yield here
    here.close()


def test_a_killed_services_job_is_taken_up_by_the_other(here: Installation) -> None:
    first = here.start()
    here.enqueue("verify-1")
    until(lambda: "second begins" in here.trace())
    here.start()
    until(lambda: here.trace().count("started") == 2)
    first.kill()
    first.wait()
    here.let_go()
    assert here.portal.wait("verify-1", 60).state == "done"
    assert here.trace().count("first") == 1
    assert sum(line.startswith("third") for line in here.trace()) == 1


def test_every_job_is_done_once_by_two(here: Installation) -> None:
    here.let_go()
    here.start()
    here.start()
    keys = [f"verify-{number}" for number in range(12)]
    for key in keys:
        here.enqueue(key)
    assert {here.portal.wait(key, 60).state for key in keys} == {"done"}
    assert here.trace().count("first") == len(keys)
    assert here.trace().count("second begins") == len(keys)
