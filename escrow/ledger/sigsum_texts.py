"""Reading what a Sigsum log answers: a tree head and a path, as an agent's client asks for them.

A tree head's signature is that of a checkpoint (:mod:`escrow.ledger.checkpoints`), so that one
becomes the other without any key.
"""

from __future__ import annotations

from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import Checkpoint, checkpoint_from, verify_checkpoint
from escrow.ledger.errors import CheckpointMalformed, ConsistencyWrong
from escrow.ledger.merkle import HASH_BYTES, MAX_PATH_HASHES

_SIGNATURE_BYTES = 64


def checkpoint_of_tree_head(unverified_text: str, log_key: PublicKey) -> Checkpoint:
    """Return the checkpoint that a tree head is; lines of witnesses are passed over.

    Raises:
        CheckpointMalformed: it is no tree head.
        CheckpointSignatureWrong: the log did not sign it.
    """
    fields = dict(_pair(line) for line in unverified_text.splitlines())
    try:
        root, signature = (bytes.fromhex(fields[name]) for name in ("root_hash", "signature"))
        size = fields["size"]
        if len(root) != HASH_BYTES or len(signature) != _SIGNATURE_BYTES:
            raise ValueError("length")
    except (KeyError, ValueError) as problem:
        raise CheckpointMalformed("What was sent is no tree head.") from problem
    return verify_checkpoint(checkpoint_from(size, root, signature, log_key), log_key)


def node_hashes(unverified_text: str) -> tuple[bytes, ...]:
    """Return the hashes of a path.

    Raises:
        ConsistencyWrong: it is no path.
    """
    pairs = [_pair(line) for line in unverified_text.splitlines()]
    try:
        if len(pairs) > MAX_PATH_HASHES + 1 or {name for name, _ in pairs} != {"node_hash"}:
            raise ValueError("lines")
        return tuple(bytes.fromhex(value) for _, value in pairs)
    except ValueError as problem:
        raise ConsistencyWrong("What was sent is no consistency proof.") from problem


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value
