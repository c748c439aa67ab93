"""A ledger proof and its check: pure, offline, with nothing but the public keys.

Guarantees: a :class:`VerifiedEvent` was written by the role it names, stands in the log at the
index it names, under a checkpoint that the log signed. It does not say that the log showed the
same history to everybody (compare checkpoints), nor that the event is the newest of its stream.
Format: docs/protocol/ledger.md, "Proof".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from escrow.ground.digests import Sha256Hex
from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.cosignatures import unverified_lines_of
from escrow.ledger.entries import MAX_ENTRY_BYTES, parse_entry
from escrow.ledger.errors import LeafKeyUnknown, ProofMalformed
from escrow.ledger.events import Event
from escrow.ledger.leaves import Leaf, checksum_of
from escrow.ledger.merkle import MAX_PATH_HASHES, check_inclusion

PROOF_FORMAT = "escrow-ledger-proof/1"

# Sigsum's proof text, version 2 (sigsum-go, doc/sigsum-proof.md).
_SIGSUM_PROOF_VERSION = 2


@dataclass(frozen=True)
class TrustedLogKeys:
    """The keys under which a reader believes the ledger.

    Args:
        log: signs checkpoints.
        leaf: signs leaves.
        roles: role name to the key that signs its events; several workers each by a name.
    """

    log: PublicKey
    leaf: PublicKey
    roles: Mapping[str, PublicKey]


@dataclass(frozen=True)
class LedgerProof:
    """All that a stranger needs, beside the keys, to check one entry; nothing of it proven.

    Args:
        entry: the entry's bytes.
        leaf_index: place in the tree.
        leaf_key_hash: 32 bytes, hash of the key that signed the leaf.
        leaf_signature: 64 bytes.
        path: inclusion path, lowest first.
        checkpoint: the note of the checkpoint that the path leads to.
    """

    entry: bytes
    leaf_index: int
    leaf_key_hash: bytes
    leaf_signature: bytes
    path: tuple[bytes, ...]
    checkpoint: str

    def to_json(self) -> dict[str, object]:
        """Return the proof as a JSON object."""
        return {
            "format": PROOF_FORMAT,
            "entry": _text(self.entry),
            "leaf": {
                "index": self.leaf_index,
                "key_hash": self.leaf_key_hash.hex(),
                "signature": _text(self.leaf_signature),
            },
            "path": [_text(one) for one in self.path],
            "checkpoint": self.checkpoint,
        }

    @classmethod
    def from_json(cls, unverified: object) -> LedgerProof:
        """Return the proof that a parsed JSON value is.

        Args:
            unverified: what ``json.loads`` gave.

        Raises:
            ProofMalformed: another format or shape.
        """
        try:
            value = cast("dict[str, object]", unverified)
            leaf = cast("dict[str, object]", value["leaf"])
            path = cast("list[str]", value["path"])
            index, note = leaf["index"], value["checkpoint"]
            if (
                value["format"] != PROOF_FORMAT
                or type(index) is not int
                or not isinstance(note, str)
                or not isinstance(path, list)
                or len(path) > MAX_PATH_HASHES
            ):
                raise ValueError("shape")
            return cls(
                entry=_bytes(value["entry"]),
                leaf_index=index,
                leaf_key_hash=bytes.fromhex(cast("str", leaf["key_hash"])),
                leaf_signature=_bytes(leaf["signature"]),
                path=tuple(_bytes(one) for one in path),
                checkpoint=note,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ProofMalformed(
                f"This is no ledger proof of the form {PROOF_FORMAT}.",
                "Fetch the document again, whole; or take a newer version of this program.",
            ) from None

    def to_sigsum_text(self, log_key: PublicKey) -> str:
        """Return the proof as stock ``sigsum-verify`` reads it, for the message SHA-256(entry).

        Raises:
            ProofFails: the checkpoint is not the log's.
        """
        checkpoint = verify_checkpoint(self.checkpoint, log_key)
        lines = [
            f"version={_SIGSUM_PROOF_VERSION}",
            f"log={log_key.key_id}",
            f"leaf={self.leaf_key_hash.hex()} {self.leaf_signature.hex()}",
            "",
            f"size={checkpoint.tree_size}",
            f"root_hash={checkpoint.root_hex}",
            f"signature={checkpoint.signature.hex()}",
            *(one.sigsum_line for one in unverified_lines_of(self.checkpoint)),
        ]
        if checkpoint.tree_size > 1:
            lines += ["", f"leaf_index={self.leaf_index}"]
            lines += [f"node_hash={one.hex()}" for one in self.path]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class VerifiedEvent:
    """An event that is proven to stand in the ledger.

    Args:
        event: what was written.
        key_id: of the key that signed it, which is its role's.
        entry_sha256: digest of its entry.
        leaf_index: place in the tree.
        checkpoint: the log's word that covers it.
    """

    event: Event
    key_id: str
    entry_sha256: Sha256Hex
    leaf_index: int
    checkpoint: Checkpoint


def verify_proof(proof: LedgerProof, keys: TrustedLogKeys) -> VerifiedEvent:
    """Return the event when everything about it holds.

    1. The entry has the form of an entry. 2. The key pinned for its role signed the event.
    3. The leaf key signed a leaf for exactly this entry. 4. The log signed the checkpoint.
    5. The path leads from the leaf to the checkpoint's root.

    The caller still must check that the event says what he wants to know.

    Raises:
        EntryMalformed: question 1 is answered no.
        RoleUnknown, RoleSignatureWrong: question 2.
        LeafKeyUnknown, LeafSignatureWrong: question 3.
        CheckpointMalformed, CheckpointOfOtherLog, CheckpointSignatureWrong: question 4.
        InclusionWrong: question 5.
    """
    # 1. form
    signed = parse_entry(proof.entry)
    # 2. role
    signed.check_role_signature(keys.roles)
    # 3. leaf
    if len(proof.leaf_key_hash) != 32 or len(proof.leaf_signature) != 64:
        raise LeafKeyUnknown("The leaf's signature or key hash has the wrong length.")
    leaf = Leaf(checksum_of(proof.entry), proof.leaf_signature, proof.leaf_key_hash)
    leaf.check_signature(keys.leaf)
    # 4. checkpoint
    checkpoint = verify_checkpoint(proof.checkpoint, keys.log)
    # 5. inclusion
    check_inclusion(
        leaf.hash, proof.leaf_index, checkpoint.tree_size, proof.path, checkpoint.root_hash
    )
    return VerifiedEvent(
        signed.event, signed.key_id, signed.entry_sha256, proof.leaf_index, checkpoint
    )


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > 2 * MAX_ENTRY_BYTES:
        raise ValueError("base64")
    return base64.b64decode(value, validate=True)
