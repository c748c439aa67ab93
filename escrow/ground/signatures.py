"""Ed25519 keys and signatures; with the vault's age core the only room that touches them.

Keys at rest are PKCS #8 PEM, encrypted under a passphrase when one is given, so that stock
``openssl pkey`` reads them. Public keys are written ``ed25519:<base64 of 32 bytes>``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from escrow.ground.errors import InvalidInput, Tampered

_PREFIX = "ed25519:"


class BadPublicKey(InvalidInput):
    """A text that should be an Ed25519 public key is none."""

    code = "key.bad-public-key"


class BadKeyFile(InvalidInput):
    """A signing key file cannot be read, or the passphrase does not open it."""

    code = "key.bad-file"


class BadSignature(Tampered):
    """A signature does not hold under the key that should have made it."""

    code = "proof.bad-signature"


class Signer(Protocol):
    """Whatever can sign with one key: a file, a token, a remote keyholder."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over exactly these bytes (RFC 8032)."""
        ...


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key: 32 raw bytes that are known to be a valid encoding length."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Return the key that ``ed25519:<base64>`` names.

        Raises:
            BadPublicKey: other prefix, not base64, or not 32 bytes.
        """
        try:
            raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raw = b""
        if not text.startswith(_PREFIX) or len(raw) != 32:
            raise BadPublicKey(
                f"{text[:60]!r} is not an Ed25519 public key.",
                "Give it as 'ed25519:' and 44 base64 characters, as 'escrow keys show' prints it.",
            )
        return cls(raw)

    @cached_property
    def key_id(self) -> str:
        """SHA-256 of the 32 raw bytes in hex: Sigsum's key hash, and our DSSE keyid."""
        return hashlib.sha256(self.raw).hexdigest()

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.raw).decode()

    @property
    def pem(self) -> str:
        """The key as SubjectPublicKeyInfo PEM, as openssl and cosign take it."""
        return (
            Ed25519PublicKey.from_public_bytes(self.raw)
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def check_signature(self, signature: bytes, message: bytes) -> None:
        """Return when the signature over the message holds.

        Raises:
            BadSignature: it does not.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise BadSignature(
                f"A signature does not hold under key {self.key_id[:16]}.",
                "Do not rely on this document; fetch it again, and tell the operator if it stays.",
            ) from None


class SigningKey:
    """An Ed25519 private key held in memory; a :class:`Signer`."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = PublicKey(
            private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
        )

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a fresh key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key of a 32-byte seed (RFC 8032, section 5.1.5)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over exactly these bytes."""
        return self._private.sign(message)

    def write(self, path: Path, passphrase: str | None) -> None:
        """Write the key to a new file that only its owner reads.

        Raises:
            FileExistsError: a file stands there; a key is never overwritten.
        """
        protection: serialization.KeySerializationEncryption = (
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption()
        )
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, path: Path, passphrase: str | None) -> SigningKey:
        """Return the key that a PEM file holds.

        Raises:
            BadKeyFile: no such file, not an Ed25519 key, or the passphrase does not open it.
        """
        remedy = "Check the path and the passphrase; 'escrow keys new' makes a new key."
        try:
            private = serialization.load_pem_private_key(
                path.read_bytes(), passphrase.encode() if passphrase else None
            )
        except (OSError, ValueError, TypeError) as problem:
            raise BadKeyFile(f"The signing key {path.name} cannot be read.", remedy) from problem
        if not isinstance(private, Ed25519PrivateKey):
            raise BadKeyFile(f"The key in {path.name} is not an Ed25519 key.", remedy)
        return cls(private)
