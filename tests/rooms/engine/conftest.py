"""A started engine on either database, and everything that a job under test did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escrow.engine.contexts import JobContext
from escrow.engine.jobs import JobEngine
from escrow.ground.database import Database, metadata
from escrow.testing.databases import trial_databases


class Workshop:
    """An engine whose jobs note what they did; starts when the first test asks for it."""

    def __init__(self, folder: Path) -> None:
        self.url = trial_databases().url(folder)
        self.database = Database(self.url)
        metadata.create_all(self.database.writer)
        self.engine = JobEngine(self.url, "test", 2, "jobs-1", beat_seconds=0.2, ttl_seconds=2.0)
        self.done: list[str] = []

    def define(self, name: str, function: Callable[[JobContext, dict[str, str]], None]) -> None:
        self.engine.define(name, function)

    def enqueue(self, name: str, key: str, **options: object) -> None:
        with self.database.writing() as session:
            self.engine.enqueue(session, name, key, {"word": "hello"}, **options)  # type: ignore[arg-type]

    def run(self, name: str, key: str) -> str:
        self.enqueue(name, key)
        return self.engine.wait(key, 20).state


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    before = set(threading.enumerate())
    shop = Workshop(tmp_path)
    yield shop
    shop.engine.stop()
    shop.database.close()
    assert set(threading.enumerate()) <= before
