"""The keys of age: file keys, and the recipients and identities that wrap and unwrap them.

Three kinds: X25519, the post-quantum hybrid (ML-KEM-768 with X25519, "X-Wing"), and a passphrase
(scrypt), the last for key files only. Every rule is from C2SP age.md, "Native recipient types".
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from escrow.vault.age_format import Stanza, decode_base64, encode_base64, malformed
from escrow.vault.bech32 import encode_bech32

FILE_KEY_BYTES = 16
SEED_BYTES = 32

# A wrapped file key is always this long: any other length may be a partitioning-oracle attack.
_WRAPPED_BYTES = FILE_KEY_BYTES + 16

# age's own default, about one second and 256 MiB: a key file is opened rarely and by a person.
SCRYPT_LOG_N = 18
# Opening asks for at most 1 GiB; a file that names more is an attack on our memory.
MAX_SCRYPT_LOG_N = 20

_ZERO_NONCE = bytes(12)
_X25519_INFO = b"age-encryption.org/v1/X25519"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
_HYBRID = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
_ENCAPSULATED_BYTES = 1120
_MLKEM_PUBLIC_BYTES = 1184
_X25519_SHARE_BYTES = 32
_MLKEM_SEED_BYTES = 64


@dataclass(frozen=True)
class FileKey:
    """The 16-byte key of one payload; never printed, never used for a second payload."""

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) != FILE_KEY_BYTES:
            raise ValueError("a file key has 16 bytes")

    @classmethod
    def generate(cls) -> FileKey:
        """Return a fresh key from the system's randomness."""
        return cls(secrets.token_bytes(FILE_KEY_BYTES))

    def header_mac(self, mac_input: bytes) -> bytes:
        """Return the MAC that binds a header to this key (age.md, "Header MAC")."""
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"header").derive(self.raw)
        return hmac.digest(key, mac_input, "sha256")


class Recipient(Protocol):
    """Whatever a file key can be wrapped to."""

    post_quantum: ClassVar[bool]

    def wrap(self, file_key: FileKey) -> Stanza:
        """Return a fresh stanza that only the identity of this recipient opens."""
        ...


class Identity(Protocol):
    """Whatever can unwrap a file key."""

    kind: ClassVar[str]

    def unwrap(self, unverified_stanza: Stanza) -> FileKey | None:
        """Return the file key of a stanza of this identity's kind, None when it is for another.

        The caller still has to check the header's MAC under the key.

        Raises:
            HeaderMalformed: the stanza is of this kind and breaks the kind's format.
        """
        ...


@dataclass(frozen=True)
class X25519Recipient:
    """A classical recipient, ``age1…``; every version of age seals to it."""

    post_quantum: ClassVar[bool] = False
    raw: bytes

    def __str__(self) -> str:
        return encode_bech32("age", self.raw)

    def wrap(self, file_key: FileKey) -> Stanza:
        """Return an X25519 stanza under a fresh ephemeral key."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.raw))
        return Stanza(
            "X25519",
            (encode_base64(share),),
            _wrap_under(_x25519_wrap_key(shared, share, self.raw), file_key),
        )


@dataclass(frozen=True)
class X25519Identity:
    """A classical secret key, ``AGE-SECRET-KEY-1…``."""

    kind: ClassVar[str] = "X25519"
    raw: bytes = field(repr=False)

    def reveal(self) -> str:
        """Return the secret text; not ``str()``, so that no log prints it by accident."""
        return encode_bech32("age-secret-key-", self.raw).upper()

    @property
    def recipient(self) -> X25519Recipient:
        """The public half."""
        private = X25519PrivateKey.from_private_bytes(self.raw)
        return X25519Recipient(private.public_key().public_bytes_raw())

    def unwrap(self, unverified_stanza: Stanza) -> FileKey | None:
        """Return the file key, None when the stanza is for another identity."""

        def exchange(share: bytes) -> bytes:
            private = X25519PrivateKey.from_private_bytes(self.raw)
            return private.exchange(X25519PublicKey.from_public_bytes(share))

        return _unwrap_x25519(unverified_stanza, self.recipient, exchange)


@dataclass(frozen=True)
class ExchangedIdentity:
    """A classical identity whose secret is elsewhere, such as on a token.

    Args:
        recipient: the public half.
        exchange: gives the X25519 shared secret with a public share.
    """

    kind: ClassVar[str] = "X25519"
    recipient: X25519Recipient
    exchange: Callable[[bytes], bytes] = field(repr=False)

    def unwrap(self, unverified_stanza: Stanza) -> FileKey | None:
        """Return the file key, None when the stanza is for another identity."""
        return _unwrap_x25519(unverified_stanza, self.recipient, self.exchange)


@dataclass(frozen=True)
class HybridRecipient:
    """A post-quantum recipient, ``age1pq1…``: 1184 bytes of ML-KEM-768 and 32 of X25519."""

    post_quantum: ClassVar[bool] = True
    raw: bytes = field(repr=False)

    def __str__(self) -> str:
        return encode_bech32("age1pq", self.raw)

    def wrap(self, file_key: FileKey) -> Stanza:
        """Return an mlkem768x25519 stanza: HPKE's SealBase over the file key."""
        sealed = _HYBRID.encrypt(file_key.raw, self.public_key(), _HYBRID_INFO)
        enc, body = sealed[:_ENCAPSULATED_BYTES], sealed[_ENCAPSULATED_BYTES:]
        return Stanza("mlkem768x25519", (encode_base64(enc),), body)

    def public_key(self) -> hpke.MLKEM768X25519PublicKey:
        """Return the key for the KEM.

        Raises:
            ValueError: not 1216 bytes, or not a valid ML-KEM key (FIPS 203, modulus check).
        """
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(self.raw[_MLKEM_PUBLIC_BYTES:]),
        )


@dataclass(frozen=True)
class HybridIdentity:
    """A post-quantum secret key, ``AGE-SECRET-KEY-PQ-1…``: a 32-byte seed."""

    kind: ClassVar[str] = "mlkem768x25519"
    seed: bytes = field(repr=False)

    def reveal(self) -> str:
        """Return the secret text; not ``str()``, so that no log prints it by accident."""
        return encode_bech32("age-secret-key-pq-", self.seed).upper()

    @property
    def recipient(self) -> HybridRecipient:
        """The public half."""
        mlkem, x25519 = self._halves()
        return HybridRecipient(
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def unwrap(self, unverified_stanza: Stanza) -> FileKey | None:
        """Return the file key, None when the stanza is for another identity."""
        enc = parse_hybrid_stanza(unverified_stanza)
        mlkem, x25519 = self._halves()
        _check_order(x25519, enc[-_X25519_SHARE_BYTES:])
        private = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        try:
            return FileKey(_HYBRID.decrypt(enc + unverified_stanza.body, private, _HYBRID_INFO))
        except InvalidTag:
            return None

    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        # X-Wing: the seed is stretched to an ML-KEM seed (d || z) and an X25519 secret.
        stretched = hashlib.shake_256(self.seed).digest(_MLKEM_SEED_BYTES + 32)
        return (
            MLKEM768PrivateKey.from_seed_bytes(stretched[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(stretched[_MLKEM_SEED_BYTES:]),
        )


@dataclass(frozen=True)
class Passphrase:
    """A passphrase, as recipient and as identity at once; always alone in its header."""

    post_quantum: ClassVar[bool] = True
    kind: ClassVar[str] = "scrypt"
    text: str = field(repr=False)
    log_n: int = SCRYPT_LOG_N

    def wrap(self, file_key: FileKey) -> Stanza:
        """Return an scrypt stanza under a fresh salt."""
        salt = secrets.token_bytes(16)
        key = self._wrap_key(salt, self.log_n)
        return Stanza(self.kind, (encode_base64(salt), str(self.log_n)), _wrap_under(key, file_key))

    def unwrap(self, unverified_stanza: Stanza) -> FileKey | None:
        """Return the file key, None when the passphrase is another one."""
        if len(unverified_stanza.arguments) != 2:
            raise malformed("scrypt arguments")
        salt = decode_base64(unverified_stanza.arguments[0], 16)
        factor = unverified_stanza.arguments[1]
        if not factor.isdigit() or factor.startswith("0") or len(factor) > 2:
            raise malformed("scrypt work factor")
        if int(factor) > MAX_SCRYPT_LOG_N:
            raise malformed("scrypt work factor above the limit")
        _check_body(unverified_stanza)
        return _unwrap_under(self._wrap_key(salt, int(factor)), unverified_stanza.body)

    def _wrap_key(self, salt: bytes, log_n: int) -> bytes:
        kdf = Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << log_n, r=8, p=1)
        return kdf.derive(self.text.encode())


def _unwrap_x25519(
    unverified_stanza: Stanza, recipient: X25519Recipient, exchange: Callable[[bytes], bytes]
) -> FileKey | None:
    if len(unverified_stanza.arguments) != 1:
        raise malformed("X25519 arguments")
    share = decode_base64(unverified_stanza.arguments[0], 32)
    _check_body(unverified_stanza)
    try:
        shared = exchange(share)
    except ValueError:
        # The library refuses the all-zero shared secret, as age.md demands.
        shared = bytes(32)
    # Asked again, since a token may not refuse it.
    if not any(shared):
        raise malformed("X25519 share of low order") from None
    return _unwrap_under(_x25519_wrap_key(shared, share, recipient.raw), unverified_stanza.body)


def _x25519_wrap_key(shared: bytes, share: bytes, recipient: bytes) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=share + recipient, info=_X25519_INFO)
    return derive.derive(shared)


def _check_order(private: X25519PrivateKey, share: bytes) -> None:
    # Forged on purpose, not meant for another; the library's KEM only tells that nothing opens.
    try:
        private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise malformed("mlkem768x25519 share of low order") from None


def parse_hybrid_stanza(unverified_stanza: Stanza) -> bytes:
    """Return what a post-quantum stanza encapsulates; for whom, it does not tell.

    Raises:
        HeaderMalformed: it breaks the kind's format.
    """
    if len(unverified_stanza.arguments) != 1:
        raise malformed("mlkem768x25519 arguments")
    _check_body(unverified_stanza)
    return decode_base64(unverified_stanza.arguments[0], _ENCAPSULATED_BYTES)


def _check_body(stanza: Stanza) -> None:
    if len(stanza.body) != _WRAPPED_BYTES:
        raise malformed("length of a wrapped file key")


def _wrap_under(key: bytes, file_key: FileKey) -> bytes:
    # The nonce may be zero because the key is fresh for each stanza.
    return ChaCha20Poly1305(key).encrypt(_ZERO_NONCE, file_key.raw, None)


def _unwrap_under(key: bytes, body: bytes) -> FileKey | None:
    try:
        return FileKey(ChaCha20Poly1305(key).decrypt(_ZERO_NONCE, body, None))
    except InvalidTag:
        return None
