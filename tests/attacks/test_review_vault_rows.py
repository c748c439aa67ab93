"""Somebody writes the vault's rows and lets the keyholder act on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escrow.ground.database import Database, metadata
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ground.signatures import SigningKey
from escrow.vault import age, documents, lane_keeping, records
from escrow.vault.keys import FileKeyManager, InsecureKeyManager

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DEPOSIT, PRODUCT = DepositId("dep_1"), ProductId("prd_1")


@pytest.fixture
def keys(tmp_path: Path) -> FileKeyManager:
    with pytest.warns(InsecureKeyManager):
        return FileKeyManager(tmp_path / "keys")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'vault.db'}")
    metadata.create_all(made.writer)
    return made


def test_lane_row_naming_an_agreements_key_does_not_destroy_it(
    database: Database, keys: FileKeyManager
) -> None:
    keys.create_key("agreement-agr_1")
    with database.writing() as session:
        signer = SigningKey.generate()
        lane_keeping.open_lane(session, keys, signer, PRODUCT, DEPOSIT, NOW, timedelta(hours=1))
        row = records.lane_of(session, DEPOSIT)
        assert row is not None
        row.key_id = "agreement-agr_1"
        assert lane_keeping.close_lane(session, keys, DEPOSIT, NOW)
    assert keys.has_key("agreement-agr_1")
    assert not keys.has_key("lane-dep_1")
    database.close()


def test_exchanged_documents_recipient_is_not_given_out(
    database: Database, keys: FileKeyManager
) -> None:
    with database.writing() as session:
        true = documents.documents_recipient(session, keys, PRODUCT, NOW)
        row = records.documents_key(session, PRODUCT)
        assert row is not None
        row.recipient = str(age.new_hybrid_identity().recipient)
        session.flush()
        assert documents.documents_recipient(session, keys, PRODUCT, NOW) == true
    database.close()
