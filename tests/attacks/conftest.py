"""Worlds that several attacks begin in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.testing.releases import SettledFolder
from tests.attacks.watched import WatchedWorld


@pytest.fixture
def watched_world(settled_release: SettledFolder, tmp_path: Path) -> Iterator[WatchedWorld]:
    """A release world with witnesses and a timestamp authority, which have looked at its log."""
    WatchedWorld.outsiders = tmp_path / "tsa"
    made = WatchedWorld.copied(settled_release, tmp_path / "release")
    made.collect()
    try:
        yield made
    finally:
        made.close()
