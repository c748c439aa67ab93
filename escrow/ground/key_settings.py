"""Who holds the key-encryption keys: which key manager, where it is, and who has a copy.

Secrets (a token's PIN, Vault's token) come from files and from nowhere else: no argument, no
variable and no log ever holds one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from escrow.ground import setting_values as form
from escrow.ground.errors import Refused
from escrow.ground.setting_values import Spec

KeyManagerName = Literal["", "file", "pkcs11", "vault"]

# A key service that does not answer must not hold a push or a release for longer; a token or a
# Vault that works answers in milliseconds.
DEFAULT_KEY_MANAGER_SECONDS = 10

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}")
# Anything behind the host that is no port or path would be another host.
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/.*)?")
_NEEDED = {
    "pkcs11": ("pkcs11_module", "pkcs11_token", "pkcs11_pin_file"),
    "vault": ("vault_url", "vault_token_file"),
}

NO_CONTINUITY = (
    "No continuity holders are set (ESCROW_CONTINUITY_HOLDERS): should this service or its key "
    "manager end, nobody outside can undo Lock B."
)


class KeyManagerNotNamed(Refused):
    """No key manager was named, and this environment offers none by itself."""

    code = "settings.key-manager-not-named"


class KeyManagerIncomplete(Refused):
    """A key manager is named, and something without which it cannot be used is not set."""

    code = "settings.key-manager-incomplete"


@dataclass(frozen=True)
class KeySettings:
    """The settings about keys; a part of ``Settings``.

    Args:
        key_manager: which implementation of the port.
        key_prefix: begins each key's name where a token or a Vault is shared.
        key_manager_seconds: how long one answer of a token or of Vault may take.
        pkcs11_module: the vendor's library.
        pkcs11_token: the token's label.
        pkcs11_pin_file: the user's PIN and nothing else.
        vault_url: https, or http on this machine.
        vault_token_file: read anew for each call, so that an agent of Vault may renew it.
        vault_mount: where the transit engine is mounted.
        vault_ca_file: believed instead of the system's certificates.
        continuity_holders: a TOML file: k, and the holders' recipients.
    """

    key_manager: KeyManagerName
    key_prefix: str
    key_manager_seconds: int
    pkcs11_module: Path | None
    pkcs11_token: str | None
    pkcs11_pin_file: Path | None
    vault_url: str | None
    vault_token_file: Path | None
    vault_mount: str
    vault_ca_file: Path | None
    continuity_holders: Path | None


def check_key_manager(settings: KeySettings, environment: str) -> None:
    """Return when a key manager is named, and all that it needs.

    Raises:
        KeyManagerNotNamed: none is.
        KeyManagerIncomplete: something is missing, or Vault's token would travel in clear.
    """
    if settings.key_manager == "":
        raise KeyManagerNotNamed(
            f"No key manager is named, and {environment} takes none by default.",
            "Set ESCROW_KEY_MANAGER=pkcs11 or vault; or file, to keep the keys in files of this "
            "machine, knowing that its disk then holds Lock B.",
        )
    needed = _NEEDED.get(settings.key_manager, ())
    if missing := [name for name in needed if getattr(settings, name) is None]:
        names = ", ".join(f"{form.PREFIX}{name.upper()}" for name in missing)
        raise KeyManagerIncomplete(
            f"The key manager {settings.key_manager} is named, and not all that it needs.",
            f"Set {names}.",
        )
    url = settings.vault_url
    is_own = url is not None and _LOOPBACK.fullmatch(url) is not None
    if settings.key_manager == "vault" and url and not (url.startswith("https://") or is_own):
        raise KeyManagerIncomplete(
            "Vault's token would be sent in clear.", "Give ESCROW_VAULT_URL with https."
        )


def key_warnings(settings: KeySettings) -> tuple[str, ...]:
    """Return a sentence for each thing that may be so, and that somebody should know of."""
    found = []
    if settings.key_manager == "file":
        found.append(
            "The file key manager keeps key-encryption keys on this machine's disk: "
            "whoever copies that disk holds Lock B."
        )
    if settings.continuity_holders is None:
        found.append(NO_CONTINUITY)
    return tuple(found)


def _optional_url(value: object) -> str | None:
    """Return an address of the web, None for an empty text."""
    return form.http_url(value) if value != "" else None


def _name(value: object) -> str:
    """Return a name that every key service takes; a mount may have steps."""
    name = form.text(value)
    if not _NAME.fullmatch(name):
        raise ValueError("letters, digits, '_' and '-', such as escrow")
    return name


KEY_SPECS: tuple[Spec, ...] = (
    Spec(
        "key_manager",
        form.one_of(*get_args(KeyManagerName)),
        lambda known: "" if known["env"] == "production" else "file",
        "who holds the key-encryption keys: pkcs11, vault, or file, which production must name",
    ),
    Spec(
        "key_prefix",
        _name,
        lambda _: "escrow",
        "begins the name of each key on a token or in Vault that others use, too",
    ),
    Spec(
        "key_manager_seconds",
        form.integer(1, 120),
        lambda _: DEFAULT_KEY_MANAGER_SECONDS,
        "how long one answer of a token or of Vault may take",
    ),
    Spec("pkcs11_module", form.optional_path, lambda _: None, "the PKCS#11 library of the token"),
    Spec("pkcs11_token", form.optional_text, lambda _: None, "the token's label"),
    Spec(
        "pkcs11_pin_file",
        form.optional_path,
        lambda _: None,
        "a file that holds the token's user PIN and nothing else",
    ),
    Spec(
        "vault_url",
        _optional_url,
        lambda _: None,
        "the address of Vault (or OpenBao), https unless it is on this machine",
    ),
    Spec(
        "vault_token_file",
        form.optional_path,
        lambda _: None,
        "a file that holds Vault's token and nothing else; read anew for each call",
    ),
    Spec("vault_mount", _name, lambda _: "transit", "where Vault's transit engine is mounted"),
    Spec(
        "vault_ca_file",
        form.optional_path,
        lambda _: None,
        "certificates (PEM) that Vault's is checked against, instead of the system's",
    ),
    Spec(
        "continuity_holders",
        form.optional_path,
        lambda _: None,
        "a TOML file: who, outside the operator, holds the continuity keys' shares (docs/keys.md)",
    ),
)
