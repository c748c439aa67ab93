"""A fresh world for each test of custody: a session changes keys for good."""

from __future__ import annotations

import pytest


@pytest.fixture
def world(custody_world):
    """An installation with an agreement in force, three agents, and one verified deposit."""
    return custody_world
