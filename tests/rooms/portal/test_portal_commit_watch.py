"""Where nobody knows whether something was committed, no answer is ever kept."""

from __future__ import annotations

from escrow.ground.changes import CommitWatch


def test_postgresql_has_no_number_and_sqlite_has(release_world, database_kind) -> None:
    version = CommitWatch(release_world.database).version()
    assert (version is None) == (database_kind == "postgresql")
