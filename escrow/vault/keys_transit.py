"""The key manager in Vault's transit engine (OpenBao's, too): keys that never leave it.

Each key is an ``aes256-gcm96`` key, neither exportable nor derived; what a record belongs to goes
along as associated data. A second, unused key whose name says ``gone`` is the note that a key was
destroyed: it needs no other engine and no other right, and lies in the same backup.

Vault makes a missing key by itself when somebody may *create* at the encrypt path, so every wrap
asks for the key first, and the policy of docs/keys.md gives *update* alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import hvac  # type: ignore[import-untyped]
import requests
from hvac import exceptions

from escrow.vault.errors import KeyManagerUnavailable, UnwrapFailed
from escrow.vault.keys import KeyAccount, bound, check_key_id, destroyed, exists, missing

_VERSION: Final = b"\x02"
_VERSION_BYTES: Final = 4
_TYPE: Final = "aes256-gcm96"
# Vault says a line; whatever stands in its place is not to fill a certificate.
_MAX_ANSWER_CHARS: Final = 400
_CIPHERTEXT = re.compile(r"vault:v([1-9]\d{0,8}):([A-Za-z0-9+/=]+)")


class TransitKeyManager:
    """A :class:`~escrow.vault.keys.KeyManager` in one transit engine.

    Args:
        url: of Vault.
        token_file: read for each call; whoever renews the token writes it.
        mount: of the engine.
        prefix: begins each name, where others use the engine, too.
        ca_file: believed instead of the system's certificates.
        timeout_seconds: of one answer.
    """

    def __init__(
        self,
        url: str,
        token_file: Path,
        mount: str,
        prefix: str,
        ca_file: Path | None,
        timeout_seconds: float,
    ) -> None:
        session = requests.Session()
        # Neither a proxy nor a token or certificate from this process's environment.
        session.trust_env = False
        self._client = hvac.Client(
            url=url,
            token="",
            verify=str(ca_file) if ca_file else True,
            timeout=timeout_seconds,
            allow_redirects=False,
            session=session,
        )
        self._token_file, self._mount, self._prefix = token_file, mount, prefix
        self._lock = threading.Lock()

    def create_key(self, key_id: str) -> None:
        """Make a key in the engine; Vault itself would pass over one that exists."""
        with self._transit() as transit:
            if self._is_there(self._name(key_id)) or self._is_there(self._gone(key_id)):
                raise exists(key_id)
            self._make(transit, self._name(key_id))

    def has_key(self, key_id: str) -> bool:
        """Tell whether the engine has the key and no note that it is destroyed."""
        with self._transit():
            return self._is_there(self._name(key_id)) and not self._is_there(self._gone(key_id))

    def wrap(self, key_id: str, plaintext: bytes, aad: bytes) -> bytes:
        """Return version, Vault's key version, nonce, ciphertext and tag."""
        with self._transit() as transit:
            self._check_live(key_id)
            answer = transit.encrypt_data(
                self._name(key_id),
                plaintext=_text(plaintext),
                associated_data=_text(bound(key_id, aad)),
                mount_point=self._mount,
            )
        return _record(str(answer["data"]["ciphertext"]))

    def unwrap(self, key_id: str, blob: bytes, aad: bytes) -> bytes:
        """Return the plaintext when tag, key id and ``aad`` hold."""
        with self._transit() as transit:
            self._check_live(key_id)
            try:
                answer = transit.decrypt_data(
                    self._name(key_id),
                    ciphertext=_ciphertext(blob),
                    associated_data=_text(bound(key_id, aad)),
                    mount_point=self._mount,
                )
            except exceptions.InvalidRequest:
                # The key was there a moment ago, so what Vault refuses is the record.
                raise UnwrapFailed.of_record() from None
        return base64.b64decode(answer["data"]["plaintext"] or "")

    def destroy_key(self, key_id: str) -> None:
        """Leave a note, then delete the key; a second time changes nothing.

        The note comes first: a crash in between leaves a key that is refused already.
        """
        name, gone = self._name(key_id), self._gone(key_id)
        with self._transit() as transit:
            is_there, is_noted = self._is_there(name), self._is_there(gone)
            if not is_there and not is_noted:
                raise missing(key_id)
            if not is_noted:
                self._make(transit, gone)
            if is_there:
                transit.update_key_configuration(
                    name, deletion_allowed=True, mount_point=self._mount
                )
                transit.delete_key(name, mount_point=self._mount)

    def account_of(self, key_id: str) -> KeyAccount:
        """Return the engine's answers on the key and on the note that it is destroyed."""
        with self._transit():
            words, found = [], []
            for name in (self._name(key_id), self._gone(key_id)):
                versions, word = self._asked_for(name)
                found.append(versions)
                words.append(f"{self._mount}/keys/{name}: {word}")
        live, noted = found
        manager = f"transit engine {self._mount} of Vault"
        return KeyAccount(manager, {} if noted else live, "; ".join(words))

    def _asked_for(self, name: str) -> tuple[dict[int, datetime | None], str]:
        """Return a key's versions with their times, and Vault's answer in its own words."""
        try:
            data = self._client.secrets.transit.read_key(name, mount_point=self._mount)["data"]
        except exceptions.InvalidPath as problem:
            return {}, f"404 {(problem.text or '').strip()}"[:_MAX_ANSWER_CHARS]
        made = {int(number): _time(at) for number, at in dict(data.get("keys") or {}).items()}
        said = {one: data.get(one) for one in ("latest_version", "min_available_version", "keys")}
        return made, f"200 {json.dumps(said)}"[:_MAX_ANSWER_CHARS]

    def _make(self, transit: Any, name: str) -> None:  # noqa: ANN401 - hvac has no types
        transit.create_key(
            name,
            derived=False,
            exportable=False,
            allow_plaintext_backup=False,
            key_type=_TYPE,
            mount_point=self._mount,
        )

    def _is_there(self, name: str) -> bool:
        try:
            self._client.secrets.transit.read_key(name, mount_point=self._mount)
        except exceptions.InvalidPath:
            return False
        return True

    def _check_live(self, key_id: str) -> None:
        if self._is_there(self._gone(key_id)):
            raise destroyed(key_id)
        if not self._is_there(self._name(key_id)):
            raise missing(key_id)

    @contextmanager
    def _transit(self) -> Iterator[Any]:
        """Give the engine, one caller at a time, and turn Vault's errors into ours."""
        with self._lock:
            try:
                self._client.token = self._token_file.read_text(encoding="utf-8").strip()
                yield self._client.secrets.transit
            except (OSError, UnicodeDecodeError, requests.RequestException) as problem:
                raise _unavailable(type(problem).__name__) from problem
            except exceptions.Forbidden as problem:
                raise _unavailable("it refuses our token, or the policy lacks a right") from problem
            except exceptions.VaultError as problem:
                raise _unavailable(type(problem).__name__) from problem

    def _name(self, key_id: str) -> str:
        check_key_id(key_id)
        return f"{self._prefix}-key-{key_id}"

    def _gone(self, key_id: str) -> str:
        check_key_id(key_id)
        return f"{self._prefix}-gone-{key_id}"


def _time(at: object) -> datetime | None:
    """Return when Vault made a version; it tells seconds of a symmetric key."""
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int) else None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _record(ciphertext: str) -> bytes:
    """Return Vault's text as bytes; two texts never mean one record."""
    match = _CIPHERTEXT.fullmatch(ciphertext)
    if match is None:
        raise _unavailable("it answers in a form that we do not know")
    return _VERSION + int(match[1]).to_bytes(_VERSION_BYTES, "big") + base64.b64decode(match[2])


def _ciphertext(blob: bytes) -> str:
    number = int.from_bytes(blob[1 : 1 + _VERSION_BYTES], "big")
    sealed = blob[1 + _VERSION_BYTES :]
    if blob[:1] != _VERSION or not number or not sealed:
        raise UnwrapFailed.of_record()
    try:
        return f"vault:v{number}:{_text(sealed)}"
    except binascii.Error:
        raise UnwrapFailed.of_record() from None


def _unavailable(why: str) -> KeyManagerUnavailable:
    return KeyManagerUnavailable(
        f"Vault does not do what the key manager needs: {why}.",
        "Check that Vault is there and unsealed, and its token and policy (docs/keys.md).",
    )
