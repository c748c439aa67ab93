"""Settings of the two stores: what must go together, what is warned of, where no secret is."""

from pathlib import Path

import pytest

from escrow.ground.settings import BadSetting, Settings, read_settings
from escrow.ground.storage_settings import BadStoreCredentials, S3Settings, StoreIncomplete

PRIMARY = {
    "ESCROW_BLOB_STORE": "s3",
    "ESCROW_S3_ENDPOINT": "https://s3.one.example",
    "ESCROW_S3_BUCKET": "sealed",
    "ESCROW_S3_CREDENTIALS_FILE": "/run/secrets/one",
}
REPLICA = {name.replace("S3_", "REPLICA_S3_"): value for name, value in PRIMARY.items()}
REPLICA = {"ESCROW_REPLICA": REPLICA.pop("ESCROW_BLOB_STORE"), **REPLICA}


def read(tmp_path: Path, **values: str) -> Settings:
    return read_settings(values, home_folder=tmp_path, uid=1000)


def test_files_without_a_second_copy_are_warned_of(tmp_path: Path) -> None:
    plan = read(tmp_path).storage
    assert (plan.primary, plan.replica) == (Path("/var/lib/escrow/blobs"), None)
    assert any("no second copy" in warning for warning in read(tmp_path).warnings())
    assert not any("second copy" in one for one in read(tmp_path).warnings("portal"))


def test_two_buckets_in_two_accounts(tmp_path: Path) -> None:
    other = REPLICA | {"ESCROW_REPLICA_S3_CREDENTIALS_FILE": "/run/secrets/two"}
    plan = read(tmp_path, **PRIMARY, **other).storage
    assert isinstance(plan.primary, S3Settings)
    assert isinstance(plan.replica, S3Settings)
    assert plan.warnings == ()


def test_two_buckets_in_one_account_are_warned_of(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, **PRIMARY, **REPLICA).storage.warnings
    assert "one account" in warning


@pytest.mark.parametrize("left_out", sorted(set(PRIMARY) - {"ESCROW_BLOB_STORE"}))
def test_what_is_missing_is_named(tmp_path: Path, left_out: str) -> None:
    settings = read(tmp_path, **{k: v for k, v in PRIMARY.items() if k != left_out})
    with pytest.raises(StoreIncomplete, match=left_out):
        settings.check_safe("worker")


def test_a_lock_needs_its_days(tmp_path: Path) -> None:
    with pytest.raises(StoreIncomplete, match="ESCROW_S3_LOCK_DAYS"):
        assert read(tmp_path, **PRIMARY, ESCROW_S3_LOCK="compliance").storage
    with pytest.raises(BadSetting):
        read(tmp_path, ESCROW_S3_LOCK_DAYS="36500")


def test_a_replica_in_files_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreIncomplete, match="ESCROW_REPLICA_FOLDER"):
        assert read(tmp_path, ESCROW_REPLICA="files").storage


@pytest.mark.parametrize("content", (None, "", "access_key_id = 17", "no toml", 'x = "canary'))
def test_a_bad_file_of_credentials_is_refused_without_its_content(tmp_path, content) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    settings = read(tmp_path, **PRIMARY | {"ESCROW_S3_CREDENTIALS_FILE": str(path)})
    with pytest.raises(BadStoreCredentials) as caught:
        settings.storage.primary.credentials()
    assert content is None or content == "" or content not in str(caught.value)


def test_a_secret_is_in_no_representation(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text('access_key_id = "ak"\nsecret_access_key = "canary-secret"\n')
    settings = read(tmp_path, **PRIMARY | {"ESCROW_S3_CREDENTIALS_FILE": str(path)})
    key = settings.storage.primary.credentials()
    assert key.secret_access_key == "canary-secret"
    assert "canary" not in repr(key) + repr(settings) + repr(settings.explain())
