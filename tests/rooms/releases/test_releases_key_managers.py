"""The whole service, deposit to opened materials, with the keys on a token or in Vault."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyrage
import pytest

from escrow.ground.settings import read_settings
from escrow.operations.keyholder.disk import OwnDisk
from escrow.operations.keyholder.key_managers import key_manager_of, load_key_manager
from escrow.testing.releases import ReleaseWorld
from escrow.vault.keys import KeyManager
from escrow.vault.keys_token import TokenKeyManager
from escrow.vault.keys_transit import TransitKeyManager
from tests.softhsm import LABEL, MODULE, PIN, softhsm_settings, softhsm_token
from tests.transit_server import TOKEN, transit_server

ON_SQLITE_ALONE = True


class OnToken(ReleaseWorld):
    def key_manager(self, folder: Path) -> KeyManager:
        return TokenKeyManager(softhsm_token(), uuid.uuid4().hex[:8])


class InVault(ReleaseWorld):
    vault = ""

    def key_manager(self, folder: Path) -> KeyManager:
        folder.mkdir()
        (folder / "token").write_text(TOKEN)
        return TransitKeyManager(self.vault, folder / "token", "transit", "escrow", None, 5)


@pytest.mark.parametrize("kind", (OnToken, InVault))
def test_a_deposit_is_made_verified_and_released(kind: type[ReleaseWorld], tmp_path: Path) -> None:
    with transit_server() as vault:
        InVault.vault = vault.url
        world = kind(tmp_path)
        try:
            world.settle()
            request = world.request()
            world.act_on(request, "vendor", "consent-to-release")
            world.confirm(request, "agent_1")
            assert world.confirm(request, "agent_3")["state"] == "released"
            package = world.do("GET", f"/requests/{request}/release", "beneficiary")
            file = package["deposits"][0]["files"][0]
            secret = world.cast.identity("beneficiary_primary").reveal()
            answer = world.fetch(request, file["id"])
            assert pyrage.decrypt(answer.content, [pyrage.x25519.Identity.from_str(secret)])
        finally:
            world.close()
        # Vault held the keys, and each lane's and round's is gone for good.
        assert kind is OnToken or any(name.startswith("escrow-gone-lane-") for name in vault.keys)


def test_the_settings_choose_the_key_manager(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(PIN + "\n")
    told = {
        "ESCROW_KEY_MANAGER": "pkcs11",
        "ESCROW_KEY_PREFIX": uuid.uuid4().hex[:8],
        "ESCROW_PKCS11_MODULE": str(MODULE),
        "ESCROW_PKCS11_TOKEN": LABEL,
        "ESCROW_PKCS11_PIN_FILE": str(tmp_path / "pin"),
        "ESCROW_HOME": str(tmp_path),
    }
    softhsm_settings()
    (tmp_path / "keyholder").mkdir()
    settings = read_settings(told, home_folder=tmp_path)
    load_key_manager(settings)
    keys = key_manager_of(settings, OwnDisk(tmp_path / "keyholder"))
    keys.create_key("one")
    assert keys.unwrap("one", keys.wrap("one", b"secret", b""), b"") == b"secret"
