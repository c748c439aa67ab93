"""What every key manager promises; each implementation inherits the suite and brings one."""

import json
from abc import abstractmethod
from pathlib import Path

import pytest

from escrow.vault.errors import BadKeyId, KeyDestroyed, KeyExists, KeyMissing, UnwrapFailed
from escrow.vault.keys import FileKeyManager, InsecureKeyManager, KeyManager

AAD = b"where it belongs"


class KeyManagerConformance:
    @abstractmethod
    def make_keys(self, folder: Path) -> KeyManager: ...

    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyManager:
        keys = self.make_keys(tmp_path)
        keys.create_key("one")
        keys.create_key("two")
        return keys

    @pytest.mark.parametrize("size", (0, 1, 16, 2_000, 65_536))
    def test_what_was_wrapped_is_unwrapped(self, keys: KeyManager, size: int) -> None:
        blob = keys.wrap("one", bytes(size), AAD)
        assert keys.unwrap("one", blob, AAD) == bytes(size)

    def test_two_wraps_of_one_thing_differ(self, keys: KeyManager) -> None:
        assert keys.wrap("one", b"same", AAD) != keys.wrap("one", b"same", AAD)

    def test_another_key_or_place_does_not_unwrap(self, keys: KeyManager) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        for key_id, aad in (("two", AAD), ("one", b""), ("one", AAD + b"\0"), ("one", AAD[1:])):
            with pytest.raises(UnwrapFailed):
                keys.unwrap(key_id, blob, aad)

    def test_every_changed_byte_is_found(self, keys: KeyManager) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        for place in range(len(blob)):
            changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
            with pytest.raises(UnwrapFailed):
                keys.unwrap("one", changed, AAD)

    @pytest.mark.parametrize("cut", (0, 1, 12, 13, 28))
    def test_a_cut_blob_is_found(self, keys: KeyManager, cut: int) -> None:
        blob = keys.wrap("one", b"", AAD)
        with pytest.raises(UnwrapFailed):
            keys.unwrap("one", blob[:cut], AAD)

    def test_a_key_is_never_replaced(self, keys: KeyManager) -> None:
        with pytest.raises(KeyExists):
            keys.create_key("one")
        assert keys.has_key("one")

    def test_a_key_that_never_was_is_missing(self, keys: KeyManager) -> None:
        assert not keys.has_key("three")
        for act in (
            lambda: keys.wrap("three", b"", AAD),
            lambda: keys.unwrap("three", bytes(40), AAD),
            lambda: keys.destroy_key("three"),
        ):
            with pytest.raises(KeyMissing):
                act()

    def test_a_destroyed_key_opens_nothing_ever_again(self, keys: KeyManager) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        keys.destroy_key("one")
        keys.destroy_key("one")
        assert not keys.has_key("one")
        for act in (
            lambda: keys.unwrap("one", blob, AAD),
            lambda: keys.wrap("one", b"", AAD),
        ):
            with pytest.raises(KeyDestroyed):
                act()
        with pytest.raises(KeyExists):
            keys.create_key("one")

    def test_the_other_keys_outlive_a_destruction(self, keys: KeyManager) -> None:
        blob = keys.wrap("two", b"secret", AAD)
        keys.destroy_key("one")
        assert keys.unwrap("two", blob, AAD) == b"secret"

    @pytest.mark.parametrize("key_id", ("", ".", "../x", "a/b", "a\n", "é", "x" * 129, "-a"))
    def test_an_id_that_is_no_name_is_refused(self, keys: KeyManager, key_id: str) -> None:
        for act in (keys.create_key, keys.has_key, keys.destroy_key):
            with pytest.raises(BadKeyId):
                act(key_id)

    def test_keys_survive_a_restart(self, keys: KeyManager, tmp_path: Path) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        assert self.make_keys(tmp_path).unwrap("one", blob, AAD) == b"secret"


class TestFileKeyManager(KeyManagerConformance):
    def make_keys(self, folder: Path) -> FileKeyManager:
        with pytest.warns(InsecureKeyManager, match="copy of the disk"):
            return FileKeyManager(folder / "keys")

    def test_only_the_owner_reads_the_keys(self, keys: KeyManager, tmp_path: Path) -> None:
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}

    def test_a_destroyed_key_is_in_no_file(self, keys: KeyManager, tmp_path: Path) -> None:
        secret = json.loads((tmp_path / "keys" / "one.key").read_text())["key"]
        keys.destroy_key("one")
        assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*.*"))

    def test_a_crash_in_a_destruction_leaves_no_usable_key(self, keys, tmp_path: Path) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        (tmp_path / "keys" / "one.destroyed").touch()
        with pytest.raises(KeyDestroyed):
            keys.unwrap("one", blob, AAD)
        keys.destroy_key("one")
        assert not (tmp_path / "keys" / "one.key").exists()

    def test_a_damaged_key_file_is_said_to_be_damaged(self, keys, tmp_path: Path) -> None:
        (tmp_path / "keys" / "one.key").write_text("{}")
        with pytest.raises(UnwrapFailed, match="damaged"):
            keys.wrap("one", b"", AAD)
