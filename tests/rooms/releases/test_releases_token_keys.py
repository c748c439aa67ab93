"""An agent whose keys are on a PKCS#11 token, from the ceremony to a release."""

from __future__ import annotations

import io
import json
import subprocess
import uuid
from pathlib import Path

import pyrage
import pytest

from escrow.ground.pkcs11_tokens import TokenKeyExists
from escrow.ground.signatures import Signer
from escrow.operations.cli import keys, token_keys
from escrow.operations.cli.secrets import NoPassphrase
from escrow.operations.cli.token_keys import BadTokenFile, TokenKeys
from escrow.testing.agreements import AgreementCast
from escrow.testing.releases import ReleaseWorld
from escrow.vault import age
from escrow.vault.errors import HeaderMalformed
from tests.softhsm import LABEL, MODULE, PIN, softhsm_settings

ON_SQLITE_ALONE = True


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    softhsm_settings()
    (tmp_path / "pin").write_text(PIN)
    monkeypatch.setenv("ESCROW_PIN_FILE", str(tmp_path / "pin"))
    monkeypatch.setattr(token_keys, "_devices", {})
    name = uuid.uuid4().hex[:8]
    keys.new(name, tmp_path, False, LABEL, MODULE)
    return tmp_path / f"{name}.token.json"


class TokenCast(AgreementCast):
    """The first agent has a token."""

    file = Path()

    def signing_key(self, who: str) -> Signer:
        return keys.read_signing_key(self.file) if who == "agent_1" else super().signing_key(who)

    def identity(self, who: str) -> keys.AgeIdentity:
        return keys.read_identity(self.file) if who == "agent_1" else super().identity(who)


class TokenWorld(ReleaseWorld):
    cast_class = TokenCast


def test_an_agent_with_a_token_proves_his_share_and_confirms(made: Path, tmp_path: Path) -> None:
    TokenCast.file = made
    (tmp_path / "world").mkdir()
    world = TokenWorld(tmp_path / "world")
    try:
        world.settle()
        request = world.request()
        world.act_on(request, "vendor", "consent-to-release")
        world.confirm(request, "agent_1")
        assert world.confirm(request, "agent_2")["state"] == "released"
    finally:
        world.close()


def test_programs_of_others_seal_to_a_token_and_verify_what_it_signs(made, tmp_path) -> None:
    public = json.loads(made.with_name(made.name.replace("token", "public")).read_text())
    recipient = pyrage.x25519.Recipient.from_str(public["age_recipient"])
    sealed = pyrage.encrypt(b"a share", [recipient])
    assert age.decrypt_bytes(sealed, [keys.read_identity(made)]) == b"a share"
    signer = keys.read_signing_key(made)
    (tmp_path / "message").write_bytes(b"an act")
    (tmp_path / "signature").write_bytes(signer.sign(b"an act"))
    (tmp_path / "key.pem").write_text(signer.public.pem)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)


def test_a_file_names_a_token_and_holds_no_secret(made: Path) -> None:
    assert set(json.loads(made.read_text())) == {
        "format",
        "module",
        "token",
        "name",
        "signing_key",
        "share_recipient",
    }


def test_keys_on_a_token_are_never_made_again(made: Path) -> None:
    with pytest.raises(TokenKeyExists):
        TokenKeys.make(MODULE, LABEL, TokenKeys.read(made).name)


def test_another_token_than_the_keys_were_made_on_is_refused(made: Path) -> None:
    document = json.loads(made.read_text())
    document["signing_key"] = "ed25519:" + "A" * 43 + "="
    document["share_recipient"] = str(age.new_x25519_identity().recipient)
    made.write_text(json.dumps(document))
    with pytest.raises(BadTokenFile):
        keys.read_identity(made)
    with pytest.raises(BadTokenFile):
        _ = keys.read_signing_key(made).public


def test_without_a_pin_nothing_is_signed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_keys, "_devices", {})
    monkeypatch.delenv("ESCROW_PIN_FILE")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(NoPassphrase, match="PIN"):
        keys.read_signing_key(made).sign(b"an act")


def test_a_stanza_of_low_order_is_refused_by_us_whatever_the_token_does(made: Path) -> None:
    identity = keys.read_identity(made)
    lax = type(identity)(identity.recipient, lambda share: bytes(32))
    sealed = age.encrypt_bytes(b"x", [identity.recipient])
    with pytest.raises(HeaderMalformed):
        age.decrypt_bytes(sealed, [lax])
