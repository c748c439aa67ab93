"""A real PostgreSQL for a test run, in a container of an image that is made here when missing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import sqlalchemy as sa

from builders.sandbox_debian import apt_proxies
from escrow.ground.database import metadata
from escrow.operations import tables

CONTEXT = Path(__file__).resolve().parent.parent / "docker" / "postgres"
BASE = "escrow/base:bookworm"

# An engine that saves an image or deletes a large container keeps others waiting for a minute.
ENGINE_SECONDS = 300

# Every test gets a database of its own out of these; losing one in a power cut loses nothing.
SERVER_OPTIONS = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"


class PostgresqlServer:
    """A server that gives each folder a database; ``TrialDatabases``.

    Args:
        url: of its first database, as the user that owns everything.
    """

    def __init__(self, url: str) -> None:
        self.admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self._url = sa.make_url(url)
        self._names: dict[Path, str] = {}
        self._template = "with_tables"
        self._create("with_tables")
        made = sa.create_engine(self._address("with_tables"))
        metadata.create_all(made)
        made.dispose()

    def url(self, folder: Path) -> str:
        if folder not in self._names:
            self._names[folder] = self._create(f"trial_{len(self._names)}", self._template)
        return self._address(self._names[folder])

    def url_of(self, folder: Path, user: str, password: str) -> str:
        """Return the address of a folder's database for another user than the owner."""
        own = sa.make_url(self.url(folder)).set(username=user, password=password)
        return own.render_as_string(hide_password=False)

    @contextmanager
    def bare(self) -> Iterator[PostgresqlServer]:
        """Give empty databases for a while."""
        self._template = "template1"
        try:
            yield self
        finally:
            self._template = "with_tables"

    def copy(self, source: Path, target: Path) -> None:
        self._names[target] = self._create(f"trial_{len(self._names)}", self._names[source])

    def keep(self, folder: Path) -> None:
        self._create(f"{self._names[folder]}_kept", self._names[folder])

    def put_back(self, folder: Path) -> None:
        name = self._names[folder]
        with self.admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
            connection.exec_driver_sql(f"ALTER DATABASE {name}_kept RENAME TO {name}")

    def tamper(self, folder: Path, statement: str, values: tuple[object, ...]) -> None:
        engine = sa.create_engine(self.url(folder), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            # Triggers and foreign keys are off for a session that says so; its owner may.
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql(statement.replace("?", "%s"), values or None)
        engine.dispose()

    def close(self) -> None:
        self.admin.dispose()

    def _create(self, name: str, template: str = "template1") -> str:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _address(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    """Run a server until the end of the block."""
    # The reaper of testcontainers is an image of a registry that may be out of reach.
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    from testcontainers.community.postgres import PostgresContainer

    assert tables.ROOMS
    container = PostgresContainer(
        server_image(),
        username="escrow",
        password="trial",
        dbname="first",
        driver="psycopg",
        docker_client_kw={"timeout": ENGINE_SECONDS},
    ).with_command(SERVER_OPTIONS)
    with container:
        server = PostgresqlServer(container.get_connection_url())
        try:
            yield server
        finally:
            server.close()


def server_image() -> str:
    """Return the server's image, made when its files have changed or it is missing."""
    content = b"".join(path.read_bytes() for path in sorted(CONTEXT.iterdir()))
    name = f"escrow/postgres:{hashlib.sha256(content).hexdigest()[:16]}"
    engine = docker.from_env(timeout=ENGINE_SECONDS)
    try:
        if not engine.images.list(name):
            arguments = {"BASE": BASE, **apt_proxies()}
            engine.images.build(
                path=str(CONTEXT), tag=name, network_mode="host", buildargs=arguments, rm=True
            )
    finally:
        engine.close()
    return name
