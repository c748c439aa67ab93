"""The face of the age v1 core: keys as text, headers as bytes, small files in one call.

Guarantees that whatever it seals stock ``age`` opens, and that it opens nothing whose header MAC
or chunk tag does not hold. It does no ASCII armour, no plugins and no SSH keys: our files are
binary and our recipients are pinned in the agreement.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from escrow.vault.age_format import (
    malformed,
    parse_header,
    render_mac_input,
    render_mac_line,
    split_header,
)
from escrow.vault.age_keys import (
    SEED_BYTES,
    FileKey,
    HybridIdentity,
    HybridRecipient,
    Identity,
    Passphrase,
    Recipient,
    X25519Identity,
    X25519Recipient,
)
from escrow.vault.age_stream import (
    CHUNK_BYTES,
    PAYLOAD_NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    ChunkOpener,
    ChunkSealer,
)
from escrow.vault.bech32 import decode_bech32
from escrow.vault.errors import (
    BadIdentity,
    BadRecipient,
    HeaderForged,
    HeaderMalformed,
    MixedRecipients,
    NoIdentityMatches,
    PayloadTruncated,
    WrongPassphrase,
)

__all__ = [
    "FileKey",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "Passphrase",
    "Recipient",
    "X25519Identity",
    "X25519Recipient",
    "decrypt_bytes",
    "encrypt_bytes",
    "hybrid_identity_from_seed",
    "new_hybrid_identity",
    "new_x25519_identity",
    "open_header",
    "parse_identity",
    "parse_recipient",
    "read_identity_file",
    "wrap_file_key",
    "write_identity_file",
]

# Share files, canaries and key files have a few KiB; whatever is larger goes through the sealer.
MAX_SMALL_FILE_BYTES = 16 * 1024 * 1024


def parse_recipient(text: str) -> X25519Recipient | HybridRecipient:
    """Return the recipient that ``age1…`` or ``age1pq1…`` names.

    Raises:
        BadRecipient: another kind, a typing error (the checksum tells), or not a valid key.
    """
    try:
        prefix, raw = decode_bech32(text.strip())
        if prefix == "age" and len(raw) == 32 and text.strip().islower():
            return X25519Recipient(raw)
        if prefix == "age1pq" and text.strip().islower():
            hybrid = HybridRecipient(raw)
            hybrid.public_key()
            return hybrid
    except ValueError:
        pass
    raise BadRecipient(
        f"{text.strip()[:40]!r} is not an age recipient that can be sealed to.",
        "Give the whole line 'age1…' or 'age1pq1…' as 'age-keygen -y' prints it.",
    )


def parse_identity(text: str) -> X25519Identity | HybridIdentity:
    """Return the identity of a secret key text; empty lines and ``#`` comments are passed over.

    Raises:
        BadIdentity: not exactly one key of a known kind. The text is never repeated.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        prefix, raw = decode_bech32(keys[0] if len(keys) == 1 else "")
        if len(raw) == SEED_BYTES and keys[0].isupper():
            if prefix == "age-secret-key-":
                return X25519Identity(raw)
            if prefix == "age-secret-key-pq-":
                return HybridIdentity(raw)
    except ValueError:
        pass
    raise BadIdentity(
        "This is not one age secret key.",
        "Give the one line 'AGE-SECRET-KEY-1…' or 'AGE-SECRET-KEY-PQ-1…' of your key file.",
    )


def new_x25519_identity() -> X25519Identity:
    """Return a fresh classical identity."""
    return X25519Identity(secrets.token_bytes(32))


def new_hybrid_identity() -> HybridIdentity:
    """Return a fresh post-quantum identity."""
    return HybridIdentity(secrets.token_bytes(SEED_BYTES))


def hybrid_identity_from_seed(seed: bytes) -> HybridIdentity:
    """Return the post-quantum identity of a 32-byte seed.

    Raises:
        BadIdentity: the seed has another length.
    """
    if len(seed) != SEED_BYTES:
        raise BadIdentity("A sealing seed has 32 bytes.", "Combine shares of one deal only.")
    return HybridIdentity(seed)


def wrap_file_key(file_key: FileKey, recipients: Sequence[Recipient]) -> bytes:
    """Return a whole age header, MAC included, that each of the recipients opens.

    Raises:
        MixedRecipients: post-quantum and classical together (the weaker would decide), a
            passphrase beside another recipient, or no recipient at all.
    """
    kinds = {recipient.post_quantum for recipient in recipients}
    alone = any(isinstance(recipient, Passphrase) for recipient in recipients)
    if len(kinds) != 1 or (alone and len(recipients) != 1):
        raise MixedRecipients(
            "One header cannot hold these recipients together.",
            "Give recipients of one strength: all 'age1…' or all 'age1pq1…'; a passphrase alone.",
        )
    mac_input = render_mac_input([recipient.wrap(file_key) for recipient in recipients])
    return mac_input + render_mac_line(file_key.header_mac(mac_input))


def open_header(header: bytes, identities: Sequence[Identity]) -> FileKey:
    """Return the file key of a header, once its MAC holds.

    Raises:
        HeaderMalformed: breaks the format.
        NoIdentityMatches: made for other identities.
        HeaderForged: an identity unwraps a key, but the header was changed around it.
    """
    unverified = parse_header(header)
    if len(unverified.stanzas) > 1 and any(one.kind == "scrypt" for one in unverified.stanzas):
        # age.md: a passphrase stanza stands alone; otherwise anyone could add himself.
        raise HeaderMalformed(
            "A passphrase stanza stands beside others.", "Ask for the file as it was first made."
        )
    for identity in identities:
        for stanza in unverified.stanzas:
            file_key = identity.unwrap(stanza) if stanza.kind == identity.kind else None
            if file_key is None:
                continue
            if not hmac.compare_digest(file_key.header_mac(unverified.mac_input), unverified.mac):
                raise HeaderForged(
                    "An age header was changed after it was made.",
                    "Do not use the file; fetch it again from where it was kept.",
                )
            return file_key
    raise NoIdentityMatches(
        "This file was sealed to other keys than yours.",
        "Use the identity whose recipient is pinned in the agreement.",
    )


def encrypt_bytes(plaintext: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Return a whole small age file.

    Raises:
        MixedRecipients: see :func:`wrap_file_key`.
    """
    file_key, nonce = FileKey.generate(), secrets.token_bytes(PAYLOAD_NONCE_BYTES)
    sealer = ChunkSealer(file_key, nonce)
    pieces = [wrap_file_key(file_key, recipients), nonce]
    view = memoryview(plaintext)
    for at in range(0, max(len(view), 1), CHUNK_BYTES):
        chunk = view[at : at + CHUNK_BYTES]
        sealed = bytearray(len(chunk) + TAG_BYTES)
        sealer.seal_into(chunk, memoryview(sealed), final=at + CHUNK_BYTES >= len(view))
        pieces.append(bytes(sealed))
    return b"".join(pieces)


def decrypt_bytes(data: bytes, identities: Sequence[Identity]) -> bytes:
    """Return the plaintext of a whole small age file.

    Raises:
        HeaderMalformed, HeaderForged, NoIdentityMatches: see :func:`open_header`.
        PayloadTampered, PayloadTruncated: the payload is not whole and authentic.
    """
    header, payload = split_header(data[: MAX_SMALL_FILE_BYTES + 1])
    file_key = open_header(header, identities)
    if len(payload) < PAYLOAD_NONCE_BYTES:
        # In one file the nonce is read with the header; a detached header has none.
        raise malformed("payload nonce")
    if len(data) > MAX_SMALL_FILE_BYTES or len(payload) < PAYLOAD_NONCE_BYTES + TAG_BYTES:
        raise PayloadTruncated(
            "A small age file is cut off, or is not small.", "Fetch the file again, whole."
        )
    opener = ChunkOpener(file_key, payload[:PAYLOAD_NONCE_BYTES])
    sealed = memoryview(payload)[PAYLOAD_NONCE_BYTES:]
    opened = bytearray(len(sealed))
    size = 0
    for at in range(0, len(sealed), SEALED_CHUNK_BYTES):
        chunk = sealed[at : at + SEALED_CHUNK_BYTES]
        final = at + SEALED_CHUNK_BYTES >= len(sealed)
        size += opener.open_into(chunk, memoryview(opened)[size:], final=final)
    return bytes(opened[:size])


def write_identity_file(
    path: Path, identity: X25519Identity | HybridIdentity, passphrase: Passphrase | None
) -> None:
    """Write a secret key to a new file that only its owner reads, as ``age`` itself reads it.

    Args:
        path: where; nothing may stand there.
        identity: the key.
        passphrase: protects the file (``age -d -i`` then asks for it); None writes plain text.

    Raises:
        FileExistsError: a file stands there; a key is never overwritten.
    """
    text = f"# public key: {identity.recipient}\n{identity.reveal()}\n".encode()
    content = encrypt_bytes(text, [passphrase]) if passphrase else text
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_identity_file(path: Path, passphrase: str | None) -> X25519Identity | HybridIdentity:
    """Return the secret key of a file, protected or plain.

    Raises:
        BadIdentity: no such file, not a key file, or protected and no passphrase given.
        WrongPassphrase: the passphrase does not open it.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BadIdentity(
            f"The key file {path.name} cannot be read.", "Check its path and its owner."
        ) from problem
    if content.startswith(b"age-encryption.org/"):
        content = _open_identity_file(content, passphrase, path.name)
    try:
        return parse_identity(content.decode())
    except UnicodeDecodeError:
        raise BadIdentity(
            f"The file {path.name} is not an age key file.", "Give the file of your secret key."
        ) from None


def _open_identity_file(content: bytes, passphrase: str | None, name: str) -> bytes:
    if passphrase is None:
        raise BadIdentity(f"The key file {name} is protected.", "Give its passphrase.")
    try:
        return decrypt_bytes(content, [Passphrase(passphrase)])
    except NoIdentityMatches:
        raise WrongPassphrase(
            f"The passphrase does not open {name}.", "Type it again; it cannot be recovered."
        ) from None
