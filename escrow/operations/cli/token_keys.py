"""A person's keys on a PKCS#11 token: signing (Ed25519) and the share recipient (X25519).

NAME.token.json says which token and which keys; there is no secret in it. Both keys are made on
the token and used there: it signs, and it takes part in the key agreement of age's X25519
recipients, so that stock age seals to it and no share opens without the token.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from escrow.ground.errors import InvalidInput
from escrow.ground.pkcs11_tokens import Token
from escrow.ground.signatures import PublicKey
from escrow.operations.cli.secrets import pin
from escrow.vault.age_keys import ExchangedIdentity, X25519Recipient

FORMAT = "escrow-token-keys/1"

# Tokens of people wait for a finger on the button.
TOUCH_SECONDS = 60.0


class BadTokenFile(InvalidInput):
    """A file that should say where a person's keys are on a token does not."""

    code = "cli.bad-token-keys-file"


@dataclass(frozen=True)
class TokenKeys:
    """The keys of one person on one token; a ``Signer``.

    Args:
        module: the token's library.
        token: its label.
        name: begins the labels of both keys.
        signing_key, share_recipient: the public halves, as they were when the keys were made.
    """

    module: str
    token: str
    name: str
    signing_key: str
    share_recipient: str

    @classmethod
    def make(cls, module: Path, token: str, name: str) -> TokenKeys:
        """Make both keys on the token.

        Raises:
            TokenKeyExists: keys of that name are on it.
            TokenUnavailable, TokenPinWrong: see :class:`Token`.
        """
        device = _device(str(module), token)
        signing = PublicKey(device.make_signing_key(f"{name}:sign"))
        recipient = X25519Recipient(device.make_exchange_key(f"{name}:share"))
        return cls(str(module), token, name, str(signing), str(recipient))

    @classmethod
    def read(cls, path: Path) -> TokenKeys:
        """Return what the file says.

        Raises:
            BadTokenFile: it is none.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("format") != FORMAT:
                raise ValueError("format")
            return cls(**document)
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise BadTokenFile(
                f"{path.name} does not say where keys are.",
                "Give the NAME.token.json of 'escrow keys new --token'.",
            ) from problem

    def write(self, path: Path) -> None:
        """Write the file."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")

    @cached_property
    def public(self) -> PublicKey:
        """The key that verifies what the token signs, asked of the token itself."""
        there = PublicKey(_device(self.module, self.token).public_key(f"{self.name}:sign"))
        if str(there) != self.signing_key:
            raise BadTokenFile(
                f"The token has another signing key than {self.name} had.",
                "Insert the token that the keys were made on.",
            )
        return there

    def sign(self, message: bytes) -> bytes:
        """Return the signature that the token makes."""
        return _device(self.module, self.token).sign(f"{self.name}:sign", message)

    def identity(self) -> ExchangedIdentity:
        """Return the age identity whose secret stays on the token."""
        device = _device(self.module, self.token)
        there = X25519Recipient(device.public_key(f"{self.name}:share"))
        if str(there) != self.share_recipient:
            raise BadTokenFile(
                f"The token has another share key than {self.name} had.",
                "Insert the token that the keys were made on.",
            )
        return ExchangedIdentity(there, lambda share: device.exchange(f"{self.name}:share", share))


_devices: dict[tuple[str, str], Token] = {}


def _device(module: str, label: str) -> Token:
    # One for each token: the PIN is asked for once in a command.
    key = (module, label)
    if key not in _devices:
        secret = pin(f"the token {label}")
        _devices[key] = Token(Path(module), label, lambda: secret, TOUCH_SECONDS)
    return _devices[key]
