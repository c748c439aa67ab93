"""A fresh world for each test of releases: a release changes keys and states for good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from escrow.testing.releases import ReleaseWorld


@pytest.fixture
def world(tmp_path) -> Iterator[ReleaseWorld]:
    """An installation with an agreement in force and one verified deposit."""
    made = ReleaseWorld(tmp_path)
    try:
        made.settle()
        yield made
    finally:
        made.close()
