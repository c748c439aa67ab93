from dataclasses import replace

import pytest

from escrow.vault.age import FileKey
from escrow.vault.errors import CommitmentBroken, HeaderRecordSwapped, KeyDestroyed
from escrow.vault.headers import (
    HeaderBinding,
    check_commitment,
    file_key_commitment,
    open_header_record,
    seal_header_record,
)

HERE = HeaderBinding("agr_1", "prd_1", "dep_1", "prt_1", "ab" * 32, "a+b", 1)
SALT = "00" * 16


def test_a_record_opens_where_it_belongs(keys) -> None:
    keys.create_key("kek")
    record = seal_header_record(keys, "kek", HERE, b"a header")
    assert open_header_record(keys, "kek", HERE, record) == b"a header"


@pytest.mark.parametrize(
    "elsewhere",
    (
        {"agreement_id": "agr_2"},
        {"product_id": "prd_2"},
        {"deposit_id": "dep_2"},
        {"part_id": "prt_2"},
        {"payload_sha256": "cd" * 32},
        {"lock": "b"},
        {"epoch": 2},
    ),
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_was_moved_does_not_open(keys, elsewhere: dict[str, object]) -> None:
    keys.create_key("kek")
    record = seal_header_record(keys, "kek", HERE, b"a header")
    with pytest.raises(HeaderRecordSwapped):
        open_header_record(keys, "kek", replace(HERE, **elsewhere), record)


def test_a_record_of_another_agreements_key_does_not_open(keys) -> None:
    keys.create_key("kek")
    keys.create_key("other")
    record = seal_header_record(keys, "kek", HERE, b"a header")
    with pytest.raises(HeaderRecordSwapped):
        open_header_record(keys, "other", HERE, record)


def test_a_destroyed_key_is_not_called_tampering(keys) -> None:
    keys.create_key("kek")
    record = seal_header_record(keys, "kek", HERE, b"a header")
    keys.destroy_key("kek")
    with pytest.raises(KeyDestroyed):
        open_header_record(keys, "kek", HERE, record)


def test_ids_cannot_run_into_each_other() -> None:
    first = replace(HERE, agreement_id="a", product_id="bc")
    assert first.aad() != replace(HERE, agreement_id="ab", product_id="c").aad()


def test_a_commitment_fixes_the_file_key(file_key: FileKey) -> None:
    committed = file_key_commitment(SALT, file_key)
    check_commitment(SALT, file_key, committed)
    assert file_key.raw.hex() not in committed
    for salt, key in ((SALT, FileKey(bytes(16))), ("11" * 16, file_key)):
        with pytest.raises(CommitmentBroken):
            check_commitment(salt, key, committed)
