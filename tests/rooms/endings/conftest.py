"""A world with an agreement in force and one verified deposit, and people who end things."""

import pytest

from escrow.testing.endings import Endings


@pytest.fixture
def endings(release_world) -> Endings:
    return Endings(release_world)
