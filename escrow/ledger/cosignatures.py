"""Cosignatures: a witness's word that it saw a checkpoint, at a time, and that the log only grew.

Format: C2SP tlog-cosignature v1, as ``sigsum-witness`` makes them and Sigsum's tree heads carry
them. Guarantees: a :class:`Cosignature` that was verified is the named witness's, over exactly
this checkpoint. It does not say that the witness's clock is right: a quorum of them is asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from escrow.ground.signatures import BadSignature, PublicKey, Signer
from escrow.ledger.checkpoints import Checkpoint
from escrow.ledger.errors import CosignatureMalformed, CosignatureWrong

# C2SP tlog-cosignature, "Format"; the type byte is signed-note's for timestamped Ed25519.
_CONTEXT = "cosignature/v1"
_COSIGNATURE_TYPE = b"\x04"
_BLOB_BYTES = 4 + 8 + 64

# How Sigsum's programs name a witness in a note.
WITNESS_PREFIX = "sigsum.org/v1/witness/"
_KEY_ID = re.compile(r"[0-9a-f]{64}")

# A witness's name in a trust root is for people; the key is what counts.
MAX_NAME_CHARS = 80

# Seconds since 1970 that a datetime can hold; a witness that states more states nonsense.
_LAST_SECOND = 253_402_300_799


@dataclass(frozen=True)
class Witness:
    """A witness as the trust root names it.

    Args:
        name: for people.
        url: prefix under which it takes ``add-checkpoint``.
        key: by which its cosignatures are known.
    """

    name: str
    url: str
    key: PublicKey


@dataclass(frozen=True)
class Cosignature:
    """What a witness said of a checkpoint; verified where a function says so.

    Args:
        key_id: of the witness's key, hex.
        timestamp: seconds since 1970, by the witness's clock.
        signature: 64 bytes.
    """

    key_id: str
    timestamp: int
    signature: bytes

    @property
    def at(self) -> datetime:
        """The witness's time."""
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def sigsum_line(self) -> str:
        """The line of a Sigsum tree head, without its end."""
        return f"cosignature={self.key_id} {self.timestamp} {self.signature.hex()}"


def body_of(checkpoint: Checkpoint) -> bytes:
    """Return the bytes of a checkpoint that log and witnesses sign."""
    return (checkpoint.note.partition("\n\n")[0] + "\n").encode()


def sign_cosignature(checkpoint: Checkpoint, signer: Signer, timestamp: int) -> Cosignature:
    """Return a cosignature; for witnesses of trials and vectors, the service signs none."""
    signature = signer.sign(_message(checkpoint, timestamp))
    return Cosignature(signer.public.key_id, timestamp, signature)


def check_cosignature(one: Cosignature, checkpoint: Checkpoint, key: PublicKey) -> None:
    """Return when the cosignature is this key's over this checkpoint.

    Raises:
        CosignatureWrong: it is not.
    """
    try:
        if one.key_id != key.key_id or not 0 < one.timestamp <= _LAST_SECOND:
            raise BadSignature("another key", "")
        key.check_signature(one.signature, _message(checkpoint, one.timestamp))
    except BadSignature:
        raise CosignatureWrong(
            f"A cosignature at {checkpoint.tree_size} leaves does not hold under the witness's key."
        ) from None


def parse_lines(unverified_lines: str, witness: Witness) -> list[Cosignature]:
    """Return the cosignatures by this witness among signature lines of a note.

    Lines of others are passed over, as signed-note asks.

    Raises:
        CosignatureMalformed: a line is no signature line.
    """
    found = []
    for line in unverified_lines.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        try:
            blob = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            blob = b""
        if dash != "—" or not name or len(blob) < 5:
            raise CosignatureMalformed("A line of the witness's answer is no signature line.")
        if len(blob) == _BLOB_BYTES and blob[:4] == _key_hint(name, witness.key):
            timestamp = int.from_bytes(blob[4:12], "big")
            found.append(Cosignature(witness.key.key_id, timestamp, blob[12:]))
    return found


def note_line(one: Cosignature, key: PublicKey) -> str:
    """Return the signature line of a note, without its end."""
    name = f"{WITNESS_PREFIX}{one.key_id}"
    blob = _key_hint(name, key) + one.timestamp.to_bytes(8, "big") + one.signature
    return f"— {name} {base64.b64encode(blob).decode()}"


def unverified_lines_of(note: str) -> list[Cosignature]:
    """Return what the note's lines say that witnesses signed; nothing of it is verified.

    Only lines that name the witness as Sigsum does tell whose they are.
    """
    found = []
    for line in note.partition("\n\n")[2].splitlines():
        name, _, text = line.removeprefix("— ").partition(" ")
        try:
            blob = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        key_id = name.removeprefix(WITNESS_PREFIX)
        if key_id != name and _KEY_ID.fullmatch(key_id) and len(blob) == _BLOB_BYTES:
            found.append(Cosignature(key_id, int.from_bytes(blob[4:12], "big"), blob[12:]))
    return found


def verified_cosignatures(
    checkpoint: Checkpoint, unverified: Iterable[Cosignature], witnesses: Sequence[Witness]
) -> dict[str, Cosignature]:
    """Return the newest cosignature of each known witness that holds, by key id.

    One that does not hold is as none: it must not hide another that does.
    """
    keys = {one.key.key_id: one.key for one in witnesses}
    found: dict[str, Cosignature] = {}
    for one in unverified:
        key = keys.get(one.key_id)
        if key is None or (one.key_id in found and found[one.key_id].timestamp >= one.timestamp):
            continue
        try:
            check_cosignature(one, checkpoint, key)
        except CosignatureWrong:
            continue
        found[one.key_id] = one
    return found


def quorum_time(
    times: Mapping[str, datetime] | Mapping[str, Cosignature], quorum: int
) -> datetime | None:
    """Return the latest time that a quorum of witnesses has reached; None without a quorum.

    The quorum's slowest counts, so that fewer than a quorum can move nothing forward.
    """
    stated = sorted(
        (one.at if isinstance(one, Cosignature) else one for one in times.values()), reverse=True
    )
    return stated[quorum - 1] if 0 < quorum <= len(stated) else None


def _message(checkpoint: Checkpoint, timestamp: int) -> bytes:
    return f"{_CONTEXT}\ntime {timestamp}\n".encode() + body_of(checkpoint)


def _key_hint(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _COSIGNATURE_TYPE + key.raw).digest()[:4]
