"""What every key manager promises; each implementation inherits the suite and brings one."""

import json
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pkcs11 import Attribute, ObjectClass

from escrow.ground.pkcs11_tokens import Token, TokenKeyDoubled, TokenPinWrong, TokenUnavailable
from escrow.vault.errors import (
    BadKeyId,
    KeyDestroyed,
    KeyExists,
    KeyManagerUnavailable,
    KeyMissing,
    UnwrapFailed,
)
from escrow.vault.keys import FileKeyManager, InsecureKeyManager, KeyManager
from escrow.vault.keys_token import TokenKeyManager
from escrow.vault.keys_transit import TransitKeyManager
from tests.softhsm import LABEL, MODULE, softhsm_token
from tests.transit_server import TOKEN, TransitServer, transit_server

AAD = b"where it belongs"


class KeyManagerConformance:
    # In its account of the key "one" once that is destroyed.
    word_of_destruction: str

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

    def test_it_gives_its_own_account_of_a_key(self, keys: KeyManager) -> None:
        live, other = keys.account_of("one"), keys.account_of("two")
        assert (list(live.versions), live.manager) == ([1], other.manager)
        made_at = live.versions[1]
        assert made_at is None or abs(datetime.now(UTC) - made_at) < timedelta(minutes=1)
        keys.destroy_key("one")
        gone = keys.account_of("one")
        assert (gone.versions, gone.manager) == ({}, live.manager)
        assert gone.answer != live.answer
        assert self.word_of_destruction in gone.answer
        assert keys.account_of("two") == other
        assert keys.account_of("three").versions == {}

    @pytest.mark.parametrize("key_id", ("", ".", "../x", "a/b", "a\n", "é", "x" * 129, "-a"))
    def test_an_id_that_is_no_name_is_refused(self, keys: KeyManager, key_id: str) -> None:
        for act in (keys.create_key, keys.has_key, keys.destroy_key):
            with pytest.raises(BadKeyId):
                act(key_id)

    def test_keys_survive_a_restart(self, keys: KeyManager, tmp_path: Path) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        assert self.make_keys(tmp_path).unwrap("one", blob, AAD) == b"secret"


class TestFileKeyManager(KeyManagerConformance):
    word_of_destruction = "no one.key, one.destroyed of "

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


class TestTokenKeyManager(KeyManagerConformance):
    word_of_destruction = "0 secret keys labelled "

    @pytest.fixture(scope="class")
    @classmethod
    def token(cls) -> Token:
        return softhsm_token()

    @pytest.fixture(autouse=True)
    def place(self, token: Token) -> None:
        self.token, self.prefix = token, uuid.uuid4().hex[:12]

    def make_keys(self, folder: Path) -> TokenKeyManager:
        return TokenKeyManager(self.token, self.prefix)

    def test_it_says_which_token_it_is(self, keys: KeyManager) -> None:
        manager = keys.account_of("one").manager
        assert manager.startswith(f"PKCS#11 token {LABEL} (SoftHSM project ")
        assert "serial " in manager

    def test_records_are_those_of_the_file_key_manager(self, keys: KeyManager) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        assert (blob[:1], len(blob)) == (b"\x01", 1 + 12 + len(b"secret") + 16)

    def test_a_key_never_leaves_the_token(self, keys: KeyManager) -> None:
        shown = self.token._run(lambda: _attributes(self.token, f"{self.prefix}:key:one"))
        assert shown == {"SENSITIVE": True, "EXTRACTABLE": False}

    def test_what_was_destroyed_is_known_to_a_second_keyholder(self, keys: KeyManager) -> None:
        keys.destroy_key("one")
        second = softhsm_token()
        with pytest.raises(KeyExists):
            TokenKeyManager(second, self.prefix).create_key("one")
        second.close()

    def test_a_second_key_of_one_name_is_not_used(self, keys: KeyManager) -> None:
        label = f"{self.prefix}:key:one"
        self.token.make_secret_key(f"{label}-other", "none")
        self.token._run(lambda: _rename(self.token, f"{label}-other", label))
        with pytest.raises(TokenKeyDoubled):
            keys.wrap("one", b"secret", AAD)

    def test_a_wrong_pin_is_told_and_not_tried_again(self) -> None:
        # A token asks for the PIN only while nobody of this program is logged in.
        self.token.close()
        with pytest.raises(TokenPinWrong) as caught:
            TokenKeyManager(softhsm_token(pin="0000"), self.prefix).has_key("one")
        assert "0000" not in str(caught.value)

    def test_a_token_that_is_away_is_unavailable(self) -> None:
        for module, label in ((MODULE, "another"), (Path("/none.so"), LABEL)):
            with pytest.raises(TokenUnavailable):
                Token(module, label, lambda: "1").has_note("x")

    def test_a_library_that_hangs_hangs_nobody(self) -> None:
        token = softhsm_token(timeout_seconds=0.1)
        before = time.monotonic()
        with pytest.raises(TokenUnavailable, match="did not answer"):
            token._run(lambda: time.sleep(0.5))
        with pytest.raises(TokenUnavailable, match="did not answer"):
            token.has_note("x")
        assert time.monotonic() - before < 0.4


class TestTransitKeyManager(KeyManagerConformance):
    word_of_destruction = 'transit/keys/escrow-key-one: 404 {"errors": []}; '

    @pytest.fixture(autouse=True)
    def vault(self) -> Iterator[TransitServer]:
        with transit_server() as self.server:
            yield self.server

    def make_keys(self, folder: Path) -> TransitKeyManager:
        (folder / "token").write_text(TOKEN + "\n")
        url = self.server.url
        return TransitKeyManager(url, folder / "token", "transit", "escrow", None, 0.5)

    def test_wrapping_makes_no_key(self, keys: KeyManager) -> None:
        with pytest.raises(KeyMissing):
            keys.wrap("three", b"secret", AAD)
        assert "escrow-key-three" not in self.server.keys

    def test_a_crash_in_a_destruction_leaves_no_usable_key(self, keys: KeyManager) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        self.server.keys["escrow-gone-one"] = dict(self.server.keys["escrow-key-two"])
        with pytest.raises(KeyDestroyed):
            keys.unwrap("one", blob, AAD)
        keys.destroy_key("one")
        assert "escrow-key-one" not in self.server.keys

    def test_a_sealed_a_silent_and_a_missing_vault_are_unavailable(self, keys, tmp_path) -> None:
        blob = keys.wrap("one", b"secret", AAD)
        self.server.sealed = True
        with pytest.raises(KeyManagerUnavailable):
            keys.unwrap("one", blob, AAD)
        self.server.sealed, self.server.silent_seconds = False, 0.8
        with pytest.raises(KeyManagerUnavailable):
            keys.unwrap("one", blob, AAD)
        gone = TransitKeyManager("http://127.0.0.1:9", tmp_path / "token", "transit", "e", None, 1)
        with pytest.raises(KeyManagerUnavailable):
            gone.has_key("one")

    def test_a_token_that_is_refused_is_told_without_being_shown(self, keys, tmp_path) -> None:
        (tmp_path / "token").write_text("hvs.stolen")
        with pytest.raises(KeyManagerUnavailable, match="token") as caught:
            keys.wrap("one", b"", AAD)
        assert "hvs" not in str(caught.value)

    def test_a_renewed_token_is_read_at_the_next_call(self, keys, tmp_path) -> None:
        (tmp_path / "token").write_text("hvs.old")
        with pytest.raises(KeyManagerUnavailable):
            keys.has_key("one")
        (tmp_path / "token").write_text(TOKEN)
        assert keys.has_key("one")


def _attributes(token: Token, label: str) -> dict[str, bool]:
    (key,) = token._found(ObjectClass.SECRET_KEY, label)
    asked = (Attribute.SENSITIVE, Attribute.EXTRACTABLE)
    return {attribute.name: key[attribute] for attribute in asked}


def _rename(token: Token, label: str, other: str) -> None:
    (key,) = token._found(ObjectClass.SECRET_KEY, label)
    key[Attribute.LABEL] = other
