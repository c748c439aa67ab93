"""The key manager on a PKCS#11 token: one AES-256 key for each key id, made there, never out.

Records are those of the file key manager, byte for byte; only the key lies elsewhere. What says
that a key was destroyed lies on the token, too, so that it is restored and lost together with the
keys and a second keyholder on the same token sees it.
"""

from __future__ import annotations

import secrets
from typing import Final

from escrow.ground.pkcs11_tokens import (
    Token,
    TokenKeyExists,
    TokenKeyMissing,
    TokenRefusedData,
)
from escrow.vault.errors import UnwrapFailed
from escrow.vault.keys import (
    BLOB_VERSION,
    NONCE_BYTES,
    TAG_BYTES,
    KeyAccount,
    bound,
    check_key_id,
    destroyed,
    exists,
    missing,
)

_KEY: Final = "key"
_GONE: Final = "destroyed"


class TokenKeyManager:
    """A :class:`~escrow.vault.keys.KeyManager` on a token.

    Args:
        token: opened when it is first used.
        prefix: begins each label, where others use the token, too.
    """

    def __init__(self, token: Token, prefix: str) -> None:
        self._token, self._prefix = token, prefix

    def create_key(self, key_id: str) -> None:
        """Make a fresh key on the token."""
        try:
            self._token.make_secret_key(self._label(key_id), self._gone(key_id))
        except TokenKeyExists:
            raise exists(key_id) from None

    def has_key(self, key_id: str) -> bool:
        """Tell whether the token has the key and no note that it is destroyed."""
        label = self._label(key_id)
        return self._token.has_secret_key(label) and not self._token.has_note(self._gone(key_id))

    def wrap(self, key_id: str, plaintext: bytes, aad: bytes) -> bytes:
        """Return version, nonce, ciphertext and tag."""
        # Drawn here: few tokens draw their own and say which. 2^32 records of one key are far off.
        nonce = secrets.token_bytes(NONCE_BYTES)
        self._check_live(key_id)
        try:
            sealed = self._token.encrypt(self._label(key_id), nonce, plaintext, bound(key_id, aad))
        except TokenKeyMissing:
            raise missing(key_id) from None
        return BLOB_VERSION + nonce + sealed

    def unwrap(self, key_id: str, blob: bytes, aad: bytes) -> bytes:
        """Return the plaintext when tag, key id and ``aad`` hold."""
        self._check_live(key_id)
        nonce, sealed = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
        try:
            if blob[:1] != BLOB_VERSION or len(sealed) < TAG_BYTES:
                if not self._token.has_secret_key(self._label(key_id)):
                    raise missing(key_id)
                raise UnwrapFailed.of_record()
            return self._token.decrypt(self._label(key_id), nonce, sealed, bound(key_id, aad))
        except TokenKeyMissing:
            raise missing(key_id) from None
        except TokenRefusedData:
            raise UnwrapFailed.of_record() from None

    def destroy_key(self, key_id: str) -> None:
        """Destroy the key on the token; a note stays."""
        try:
            self._token.destroy_secret_key(self._label(key_id), self._gone(key_id))
        except TokenKeyMissing:
            raise missing(key_id) from None

    def account_of(self, key_id: str) -> KeyAccount:
        """Return how many keys and notes of this id the token lists; it knows no dates."""
        label, gone = self._label(key_id), self._gone(key_id)
        keys, notes = self._token.count(label, gone)
        answer = f"{keys} secret keys labelled {label}, {notes} notes labelled {gone}"
        versions = dict.fromkeys(range(1, keys + 1)) if not notes else {}
        return KeyAccount(self._token.describe(), versions, answer)

    def _check_live(self, key_id: str) -> None:
        if self._token.has_note(self._gone(key_id)):
            raise destroyed(key_id)

    def _label(self, key_id: str) -> str:
        check_key_id(key_id)
        return f"{self._prefix}:{_KEY}:{key_id}"

    def _gone(self, key_id: str) -> str:
        check_key_id(key_id)
        return f"{self._prefix}:{_GONE}:{key_id}"
