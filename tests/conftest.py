"""What every test stands on: the same examples in every run, so that a red test stays red."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from escrow.testing.releases import ReleaseWorld, SettledFolder

# A loaded machine makes generation slow, which says nothing about the code; and an example that
# fails once must fail again, here and in CI. `--hypothesis-profile=search` looks for new ones.
_SLOW = (HealthCheck.too_slow,)
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=_SLOW)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def settled_release(tmp_path_factory: pytest.TempPathFactory) -> SettledFolder:
    """Settle one world of releases; every test goes on from a copy of it."""
    folder = tmp_path_factory.mktemp("settled")
    made = ReleaseWorld(folder)
    try:
        made.settle()
    finally:
        made.close()
    return SettledFolder(folder, made.agreement, dict(made.tokens))


@pytest.fixture
def release_world(settled_release: SettledFolder, tmp_path: Path) -> Iterator[ReleaseWorld]:
    """An installation with an agreement in force and one verified deposit."""
    made = ReleaseWorld.copied(settled_release, tmp_path / "release")
    try:
        yield made
    finally:
        made.close()
