"""What every test stands on: the same examples in every run, so that a red test stays red."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from escrow.testing.client_sealed import ClientSealedWorld
from escrow.testing.custody import CustodyWorld
from escrow.testing.databases import instead
from escrow.testing.releases import ReleaseWorld, SettledFolder
from tests.postgresql import PostgresqlServer, running_server
from tests.programs import sid_program
from tests.s3 import S3Server, running_s3

SQLITE, POSTGRESQL = "sqlite", "postgresql"

# Rooms with tables, and the attacks that write them.
ON_BOTH = (
    "attacks/test_endings_race",
    "attacks/test_release_",
    "rooms/custody/",
    "rooms/deposits/",
    # Of the endings those that delete rows; the others are about the ledger alone.
    "rooms/endings/test_endings_destruction",
    "rooms/endings/test_endings_withdrawal",
    "rooms/engine/",
    "rooms/evidence/",
    "rooms/ledger/",
    "rooms/notices/",
    "rooms/parties/",
    "rooms/portal/",
    "rooms/register/",
    "rooms/releases/",
    "rooms/vault/",
    "rooms/verification/",
)
WITH_DATABASE = {"world", "busy", "database", "session", "shop", "release_world", "custody_world"}

# A loaded machine makes generation slow, which says nothing about the code; and an example that
# fails once must fail again, here and in CI. `--hypothesis-profile=search` looks for new ones.
_SLOW = (HealthCheck.too_slow,)
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=_SLOW)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server for the whole run."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server for the whole run."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="module")
def bare_postgresql(postgresql: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """The same server, whose databases are empty: a migration makes the tables."""
    with postgresql.bare() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which database the worlds of a test stand on."""
    kind = getattr(request, "param", SQLITE)
    if kind == SQLITE:
        yield kind
        return
    with instead(request.getfixturevalue("postgresql")):
        yield kind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that has a database on both, in the rooms that have tables."""
    place = Path(str(metafunc.module.__file__)).relative_to(Path(__file__).parent).as_posix()
    if hasattr(metafunc.module, "ON_SQLITE_ALONE"):
        return
    if place.startswith(ON_BOTH) and WITH_DATABASE & set(metafunc.fixturenames):
        kinds = [SQLITE, POSTGRESQL]
        metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def settled_release(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> SettledFolder:
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


@pytest.fixture
def custody_world(settled_release: SettledFolder, tmp_path: Path) -> Iterator[CustodyWorld]:
    """The same, whose agents also drill, hold sessions and re-share."""
    made = CustodyWorld.copied(settled_release, tmp_path / "custody")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def client_sealed_world(
    settled_release: SettledFolder, tmp_path: Path
) -> Iterator[ClientSealedWorld]:
    """The same, whose vendor seals with stock age before he sends."""
    made = ClientSealedWorld.copied(settled_release, tmp_path / "sealed")
    made.age = sid_program("age")
    try:
        yield made
    finally:
        made.close()
