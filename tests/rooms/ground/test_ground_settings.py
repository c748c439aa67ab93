"""Settings: precedence, provenance, unknown names, unsafe values."""

from __future__ import annotations

from pathlib import Path

import pytest

from escrow.ground.key_settings import KeyManagerIncomplete, KeyManagerNotNamed
from escrow.ground.settings import (
    SPECS,
    BadSetting,
    BadSettingsFile,
    ScratchNotMemory,
    Settings,
    UnknownSetting,
    file_system_of,
    read_settings,
)

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/export /mnt/two\\040words nfs4 rw 0 0
"""


def read(tmp_path: Path, **variables: str) -> Settings:
    return read_settings(variables, home_folder=tmp_path, uid=7)


def config(tmp_path: Path, text: str) -> None:
    file = tmp_path / ".config" / "escrow" / "escrow.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_defaults_are_production_on_this_machine(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.env == "production"
    assert settings.database_url == "sqlite:////var/lib/escrow/database/escrow.db"
    assert settings.scratch == Path("/dev/shm/escrow-7")
    assert settings.public_url == "http://127.0.0.1:8420"
    assert settings.key_manager == ""
    assert not settings.is_named("home")


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    config(tmp_path, 'workers = 3\nmax_push_bytes = "1GiB"\nlisten_port = 9000\n')
    settings = read(tmp_path, ESCROW_LISTEN_PORT="9001")
    assert (settings.workers, settings.max_push_bytes, settings.listen_port) == (3, 2**30, 9001)
    assert settings.sources["workers"].endswith("escrow.toml")
    assert settings.sources["listen_port"] == "environment ESCROW_LISTEN_PORT"


def test_paths_follow_home(tmp_path: Path) -> None:
    settings = read(tmp_path, ESCROW_HOME="/srv/e")
    assert settings.blobs == Path("/srv/e/blobs")
    assert settings.database_url == "sqlite:////srv/e/database/escrow.db"


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsFile, match="cannot be read"):
        read(tmp_path, ESCROW_CONFIG=str(tmp_path / "none.toml"))


def test_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    config(tmp_path, "workers = 3\nworkers: 4\n")
    with pytest.raises(BadSettingsFile, match="line 2"):
        read(tmp_path)


def test_unknown_variable_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownSetting) as caught:
        read(tmp_path, ESCROW_KEYMANAGER="file")
    assert "ESCROW_KEY_MANAGER" in caught.value.remedy


def test_unknown_key_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    config(tmp_path, "max_push_byte = 5\n")
    with pytest.raises(UnknownSetting) as caught:
        read(tmp_path)
    assert "max_push_bytes" in caught.value.remedy


def test_variables_of_the_client_are_no_unknown_settings(tmp_path: Path) -> None:
    assert read(tmp_path, ESCROW_TOKEN="x", ESCROW_URL="http://h").workers == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENV", "prod"),
        ("HOME", "relative/path"),
        ("LISTEN_PORT", "0"),
        ("LISTEN_PORT", "http"),
        ("WORKERS", "-1"),
        ("MAX_PUSH_BYTES", "4 gigs"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("BUILD_CPUS", "nan"),
        ("PUBLIC_URL", "escrow.example.org"),
        ("DATABASE_URL", "mysql://db"),
        ("DATABASE_URL", "sqlite:///relative.db"),
        ("KEY_MANAGER", "memory"),
        ("GIT_USER", "Bob Smith"),
        ("WORKER_NAME", "Second Worker"),
        ("WORKER_NAME", "a/b"),
        ("MORE_WORKERS", "second,second"),
        ("MORE_WORKERS", "b,c,d,e,f"),
        ("MORE_WORKERS", "second,../portal"),
    ],
)
def test_bad_value_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read(tmp_path, **{f"ESCROW_{name}": value})
    assert caught.value.remedy.startswith("Give it ")


def test_toml_boolean_is_no_number(tmp_path: Path) -> None:
    config(tmp_path, "workers = true\n")
    with pytest.raises(BadSetting):
        read(tmp_path)


def test_every_setting_is_explained_and_passwords_are_masked(tmp_path: Path) -> None:
    url = "postgresql+psycopg://escrow:s3cret@db/escrow"
    lines = read(tmp_path, ESCROW_DATABASE_URL=url).explain()
    assert [line.name for line in lines] == [spec.name for spec in SPECS]
    assert all(line.explanation for line in lines)
    assert "s3cret" not in repr(lines)
    assert "escrow:***@db" in repr(lines)


def test_a_refused_value_does_not_show_its_password(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as caught:
        read(tmp_path, ESCROW_DATABASE_URL="postgres://u:s3cret@db/x")
    assert "s3cret" not in str(caught.value)


def test_production_refuses_to_choose_a_key_manager(tmp_path: Path) -> None:
    with pytest.raises(KeyManagerNotNamed):
        read(tmp_path).check_safe()


def test_production_takes_the_file_key_manager_when_named_and_warns(tmp_path: Path) -> None:
    warnings = read(tmp_path, ESCROW_KEY_MANAGER="file").check_safe()
    assert any("Lock B" in warning for warning in warnings)


def test_a_key_manager_is_refused_while_something_of_it_is_missing(tmp_path: Path) -> None:
    for name, missing in (("pkcs11", "ESCROW_PKCS11_PIN_FILE"), ("vault", "ESCROW_VAULT_URL")):
        with pytest.raises(KeyManagerIncomplete) as caught:
            read(tmp_path, ESCROW_KEY_MANAGER=name).check_safe("keyholder")
        assert missing in caught.value.remedy


def test_workers_are_listed_between_commas(tmp_path: Path) -> None:
    assert read(tmp_path).more_workers == ()
    assert read(tmp_path, ESCROW_MORE_WORKERS="").more_workers == ()
    assert read(tmp_path, ESCROW_MORE_WORKERS="second, third").more_workers == ("second", "third")
    assert read(tmp_path, ESCROW_WORKER_NAME="").worker_name is None


@pytest.mark.parametrize(
    "url", ("http://vault.example", "http://localhost.evil.example", "http://localhost@evil")
)
def test_vaults_token_does_not_travel_in_clear(tmp_path: Path, url: str) -> None:
    told = {"ESCROW_KEY_MANAGER": "vault", "ESCROW_VAULT_TOKEN_FILE": "/run/token"}
    assert read(tmp_path, **told, ESCROW_VAULT_URL="http://localhost:8200").check_safe("keyholder")
    with pytest.raises(KeyManagerIncomplete, match="in clear"):
        read(tmp_path, **told, ESCROW_VAULT_URL=url).check_safe("keyholder")


def test_development_takes_the_file_key_manager_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, ESCROW_ENV="development").key_manager == "file"


def test_scratch_on_disk_is_taken_only_when_named(tmp_path: Path) -> None:
    named = read(tmp_path, ESCROW_SCRATCH="/usr/scratch", ESCROW_KEY_MANAGER="file")
    assert any("no tmpfs" in warning for warning in named.check_safe())
    unnamed = Settings(**{**vars(named), "sources": {**named.sources, "scratch": "default"}})
    with pytest.raises(ScratchNotMemory):
        unnamed.check_safe()


def test_file_system_is_that_of_the_deepest_mount() -> None:
    assert file_system_of(Path("/dev/shm/none/below"), MOUNTS) == "tmpfs"
    assert file_system_of(Path("/none"), MOUNTS) == "ext4"


def test_mount_points_with_blanks_are_understood(tmp_path: Path) -> None:
    mounts = MOUNTS.replace("/mnt/two", str(tmp_path / "two"))
    (tmp_path / "two words").mkdir()
    assert file_system_of(tmp_path / "two words" / "x", mounts) == "nfs4"


def test_the_databases_password_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/word\n")
    url = "postgresql+psycopg://portal@db:5432/escrow"
    told = {"ESCROW_DATABASE_URL": url, "ESCROW_DATABASE_PASSWORD_FILE": str(file)}
    settings = read(tmp_path, **told)
    assert settings.database_url == "postgresql+psycopg://portal:p%40ss%2Fword@db:5432/escrow"
    shown = {one.name: one.value for one in settings.explain()}
    assert "word" not in shown["database_url"]


@pytest.mark.parametrize("url", ["sqlite:////srv/e.db", "postgresql+psycopg://u:p@db/escrow"])
def test_a_password_file_goes_only_with_an_address_that_lacks_one(tmp_path: Path, url: str) -> None:
    file = tmp_path / "password"
    file.write_text("secret")
    with pytest.raises(BadSetting, match="does not go with"):
        read(tmp_path, ESCROW_DATABASE_URL=url, ESCROW_DATABASE_PASSWORD_FILE=str(file))


def test_a_process_is_asked_only_for_what_it_holds(tmp_path: Path) -> None:
    settings = read(tmp_path, ESCROW_SCRATCH="/dev/shm/escrow-test")
    assert settings.check_safe("portal") == ()
    assert any("mail server" in one for one in settings.check_safe("worker"))
    with pytest.raises(KeyManagerNotNamed):
        settings.check_safe("keyholder")
