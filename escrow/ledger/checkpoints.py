"""Checkpoints: the log's signed word on its size and root, as C2SP signed notes.

The body is that of C2SP tlog-checkpoint with Sigsum's origin; the Ed25519 signature over it is the
same that Sigsum's ``get-tree-head`` carries, so one signature serves both families of programs.
Guarantees: a :class:`Checkpoint` was signed by the log key of whoever holds it. It does not say
that the tree grew honestly: compare two by a consistency proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from escrow.ground.signatures import BadSignature, PublicKey, Signer
from escrow.ledger.errors import (
    CheckpointMalformed,
    CheckpointOfOtherLog,
    CheckpointSignatureWrong,
)
from escrow.ledger.merkle import HASH_BYTES

ORIGIN_PREFIX = "sigsum.org/v1/tree/"

# C2SP signed-note, "Signature types": Ed25519 over the note's text.
_ED25519_TYPE = b"\x01"

# One line of ours and the witnesses'; the note format asks readers to take at least 16.
MAX_SIGNATURE_LINES = 64
# 64 lines of post-quantum cosignatures are below this; a larger note is an attempt.
MAX_NOTE_CHARS = 512 * 1024

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """A size and root that the log has signed.

    Args:
        tree_size: number of leaves.
        root_hash: 32 bytes.
        signature: 64 bytes, the log's, over the note's body.
        note: the whole note as text, cosignatures of witnesses included.
    """

    tree_size: int
    root_hash: bytes
    signature: bytes
    note: str

    @property
    def root_hex(self) -> str:
        """The root as hexadecimal digits, for people and for Sigsum's texts."""
        return self.root_hash.hex()


def origin_of(log_key: PublicKey) -> str:
    """Return the name of the log that this key signs for."""
    return ORIGIN_PREFIX + log_key.key_id


def sign_checkpoint(tree_size: int, root_hash: bytes, log_signer: Signer) -> Checkpoint:
    """Return a signed checkpoint.

    The caller answers for never signing two of one log that contradict each other.
    """
    signature = log_signer.sign(_body(str(tree_size), root_hash, log_signer.public).encode())
    note = checkpoint_from(str(tree_size), root_hash, signature, log_signer.public)
    return Checkpoint(tree_size, root_hash, signature, note)


def checkpoint_from(
    size_text: str, root_hash: bytes, unverified_signature: bytes, log_key: PublicKey
) -> str:
    """Return the note of these parts; whether it is a checkpoint is for its check to say."""
    origin = origin_of(log_key)
    line = base64.b64encode(_key_hint(origin, log_key) + unverified_signature).decode()
    return f"{_body(size_text, root_hash, log_key)}\n— {origin} {line}\n"


def verify_checkpoint(unverified_note: str, log_key: PublicKey) -> Checkpoint:
    """Return the checkpoint when the log signed it.

    1. The note is a signed note with exactly the three lines of a checkpoint. 2. Its origin is
    this log's. 3. A signature line of this log's key is there, and holds. Lines of other keys
    (witnesses) are passed over: nobody here relies on them yet.

    Raises:
        CheckpointMalformed: question 1 is answered no.
        CheckpointOfOtherLog: question 2 is answered no.
        CheckpointSignatureWrong: question 3 is answered no.
    """
    # 1. form
    body, separator, lines = unverified_note.rpartition("\n\n")
    fields = body.split("\n")
    if (
        len(unverified_note) > MAX_NOTE_CHARS
        or not separator
        or not lines.endswith("\n")
        or len(fields) != 3  # an extension line would be a statement that no monitor audits
        or not _SIZE.fullmatch(fields[1])
    ):
        raise CheckpointMalformed("The note is no checkpoint of three lines and a signature.")
    root_hash = _root(fields[2])
    # 2. origin
    origin = origin_of(log_key)
    if fields[0] != origin:
        raise CheckpointOfOtherLog(f"The checkpoint is of the log {fields[0][:90]!r}.")
    # 3. signature
    signature = _signature_of(lines, origin, log_key)
    try:
        log_key.check_signature(signature, f"{body}\n".encode())
    except BadSignature:
        raise CheckpointSignatureWrong(
            "The log's signature does not hold over the checkpoint."
        ) from None
    return Checkpoint(int(fields[1]), root_hash, signature, unverified_note)


def _body(size_text: str, root_hash: bytes, log_key: PublicKey) -> str:
    return f"{origin_of(log_key)}\n{size_text}\n{base64.b64encode(root_hash).decode()}\n"


def _key_hint(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519_TYPE + key.raw).digest()[:4]


def _root(text: str) -> bytes:
    try:
        root_hash = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        root_hash = b""
    # Base64 has several texts for one value; a signed note is compared by its text.
    if len(root_hash) != HASH_BYTES or base64.b64encode(root_hash).decode() != text:
        raise CheckpointMalformed("The third line of the checkpoint is no root hash.")
    return root_hash


def _signature_of(lines: str, origin: str, log_key: PublicKey) -> bytes:
    listed = lines.removesuffix("\n").split("\n")
    if len(listed) > MAX_SIGNATURE_LINES:
        raise CheckpointMalformed(f"The note has {len(listed)} signatures.")
    for line in listed:
        dash, _, rest = line.partition(" ")
        name, _, blob_text = rest.partition(" ")
        try:
            blob = base64.b64decode(blob_text, validate=True)
        except (binascii.Error, ValueError):
            dash = ""
            blob = b""
        if dash != "—" or not name or len(blob) < 5:
            raise CheckpointMalformed("A signature line of the note is malformed.")
        if name == origin and blob[:4] == _key_hint(origin, log_key):
            return blob[4:]
    raise CheckpointSignatureWrong("The checkpoint carries no signature of the log's key.")
