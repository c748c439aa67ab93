import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escrow.ground.database import Database, Session
from escrow.testing.databases import trial_databases
from escrow.vault import records
from escrow.vault.age import FileKey
from escrow.vault.blobs import FileBlobStore
from escrow.vault.keys import FileKeyManager, InsecureKeyManager


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def file_key() -> FileKey:
    return FileKey.generate()


@pytest.fixture
def store(tmp_path: Path) -> FileBlobStore:
    return FileBlobStore(tmp_path / "blobs")


@pytest.fixture
def keys(tmp_path: Path) -> FileKeyManager:
    with pytest.warns(InsecureKeyManager):
        return FileKeyManager(tmp_path / "keys")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(trial_databases().url(tmp_path))
    tables = [
        row.__table__
        for row in vars(records).values()
        if isinstance(row, type) and hasattr(row, "__table__")
    ]
    records.SQLModel.metadata.create_all(database.writer, tables=tables)
    with database.writing() as open_session:
        yield open_session
    database.close()


@pytest.fixture
def noise() -> bytes:
    return secrets.token_bytes(200_000)
