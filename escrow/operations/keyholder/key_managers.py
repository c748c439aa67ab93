"""Which key manager the settings name, put together; the libraries of the others are not loaded."""

from __future__ import annotations

import warnings
from pathlib import Path

from escrow.ground.settings import Settings
from escrow.operations.keyholder.disk import KEYHOLDER, OwnDisk
from escrow.vault.keys import FileKeyManager, InsecureKeyManager, KeyManager


def key_manager_of(settings: Settings, disk: OwnDisk) -> KeyManager:
    """Return the key manager that the settings name; it is reached when it is first used.

    Raises:
        KeyManagerNotNamed, KeyManagerIncomplete: none is named, or it lacks something.
    """
    settings.check_safe(KEYHOLDER)
    if settings.key_manager == "pkcs11":
        return _on_token(settings)
    if settings.key_manager == "vault":
        return _in_vault(settings)
    with warnings.catch_warnings():
        # Named explicitly, or outside production: the service has said so at its start.
        warnings.simplefilter("ignore", InsecureKeyManager)
        return FileKeyManager(disk.key_manager)


def load_key_manager(settings: Settings) -> None:
    """Load what the named key manager needs of Python, while its files can still be read."""
    if settings.key_manager == "pkcs11":
        _on_token(settings)
    if settings.key_manager == "vault":
        # Building one loads certificates and codecs; it asks nobody and reads no token.
        _in_vault(settings)


def _on_token(settings: Settings) -> KeyManager:
    from escrow.ground.pkcs11_tokens import Token, read_pin
    from escrow.vault.keys_token import TokenKeyManager

    pin_file = _needed(settings.pkcs11_pin_file)
    token = Token(
        _needed(settings.pkcs11_module),
        settings.pkcs11_token or "",
        lambda: read_pin(pin_file),
        settings.key_manager_seconds,
    )
    return TokenKeyManager(token, settings.key_prefix)


def _in_vault(settings: Settings) -> KeyManager:
    from escrow.vault.keys_transit import TransitKeyManager

    return TransitKeyManager(
        settings.vault_url or "",
        _needed(settings.vault_token_file),
        settings.vault_mount,
        settings.key_prefix,
        settings.vault_ca_file,
        settings.key_manager_seconds,
    )


def _needed(path: Path | None) -> Path:
    # The check of the settings refuses a key manager without it; this is for the types.
    return path or Path("/nonexistent")
