"""A fresh world for each test of releases: a release changes keys and states for good."""

from __future__ import annotations

import pytest


@pytest.fixture
def world(release_world):
    """An installation with an agreement in force and one verified deposit."""
    return release_world
