"""Open a deposit for its verification: file keys into memory, parts as streams of plaintext.

Guarantees: keys come from the keyholder, are sealed to this worker alone, and live in the memory
of the step that uses them; they pass neither the engine nor the database. Only parts that were
sent with this deposit are opened, and credentials never. Every part is read from its sealed bytes
and compared with both digests of its receipt before its last piece is handed on.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence

from builders.orders import PartInput
from escrow.ground.digests import Sha256Hex
from escrow.vault.age import FileKey, Identity, decrypt_bytes
from escrow.vault.blobs import BlobStore
from escrow.vault.sealing import open_payload
from escrow.verification.errors import KeysDoNotFit
from escrow.verification.parts import SealedPart


def open_file_keys(
    sealed_keys: bytes, worker: Identity, parts: Sequence[SealedPart]
) -> dict[str, FileKey]:
    """Return the file keys of the parts that are opened, by part id.

    Args:
        sealed_keys: the keyholder's answer: an age file to this worker.

    Raises:
        NoIdentityMatches, HeaderForged, PayloadTampered: not for this worker, or changed.
        KeysDoNotFit: a key is missing, or is none.
    """
    try:
        listed = json.loads(decrypt_bytes(sealed_keys, [worker]))
        return {
            part.id: FileKey(base64.b64decode(listed[part.id], validate=True))
            for part in parts
            if part.is_opened
        }
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise KeysDoNotFit from None


def part_inputs(
    store: BlobStore, parts: Sequence[SealedPart], keys: Mapping[str, FileKey]
) -> list[PartInput]:
    """Return the opened parts as the builders take them; nothing is read before they are."""
    return [
        PartInput(
            name=part.label,
            kind=part.kind,
            media=part.media,
            stream=_plaintext(store, part, keys[part.id]),
            size_bytes=part.size_bytes,
            commit=_commit(part),
        )
        for part in parts
        if part.is_opened
    ]


def _commit(part: SealedPart) -> str | None:
    """Return the commit that a push was deposited for, None where it brought several branches."""
    head = (part.git or {}).get("head_commit")
    return str(head) if head else None


def _plaintext(store: BlobStore, part: SealedPart, file_key: FileKey) -> Iterator[bytes]:
    with store.open(Sha256Hex(part.payload_sha256)) as blob:
        yield from open_payload(blob, file_key, part.encoding, part)
