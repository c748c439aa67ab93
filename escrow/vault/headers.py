"""Header records: an age header under Lock B, bound to exactly one place.

A record opens only with the same agreement, product, deposit, part, payload, lock and epoch that
it was made for, so that nobody who can write the database can pass one deposit off as another.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Literal

from escrow.ground.digests import Sha256Hex, canonical_json, commitment, sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId, PartId, ProductId
from escrow.vault.age_keys import FileKey
from escrow.vault.errors import CommitmentBroken, HeaderRecordSwapped, UnwrapFailed
from escrow.vault.keys import KeyManager

_AAD_LABEL = b"escrow-header-record/1\0"

Lock = Literal["a+b", "b", "client"]

AGENTS_LOCK: Lock = "a+b"
CLIENT_LOCK: Lock = "client"

# Records whose header opens to the agents' sealing key.
AGENTS_LOCKS = frozenset({AGENTS_LOCK, CLIENT_LOCK})


@dataclass(frozen=True)
class HeaderBinding:
    """Where one header record belongs.

    ``lock`` is ``a+b`` for a header that opens to the agents' sealing key, ``client`` for one of a
    part that its vendor sealed, which opens to that key or to nobody, ``b`` for one that the
    keyholder may open alone (standing custody). ``epoch`` counts the sealing keys of the
    agreement from 1; a ``b`` record has the epoch at which it was made.
    """

    agreement_id: AgreementId
    product_id: ProductId
    deposit_id: DepositId
    part_id: PartId
    payload_sha256: Sha256Hex
    lock: Lock
    epoch: int

    def aad(self) -> bytes:
        """Return what the key manager authenticates beside the header."""
        return _AAD_LABEL + canonical_json(asdict(self))


def seal_header_record(
    keys: KeyManager, key_id: str, binding: HeaderBinding, header: bytes
) -> bytes:
    """Return the header wrapped under the agreement's key-encryption key.

    Raises:
        KeyMissing, KeyDestroyed: see :meth:`KeyManager.wrap`.
    """
    return keys.wrap(key_id, header, binding.aad())


def open_header_record(
    keys: KeyManager, key_id: str, binding: HeaderBinding, record: bytes
) -> bytes:
    """Return the header of a record that was made for exactly this binding.

    Raises:
        HeaderRecordSwapped: made for another place, or changed.
        KeyMissing, KeyDestroyed: see :meth:`KeyManager.unwrap`.
    """
    try:
        return keys.unwrap(key_id, record, binding.aad())
    except UnwrapFailed:
        raise HeaderRecordSwapped(
            f"The header record of part {binding.part_id} does not belong where it stands.",
            "Do not open the deposit; restore the record from a replica and compare the ledger.",
        ) from None


def file_key_commitment(salt: str, file_key: FileKey) -> Sha256Hex:
    """Return the salted hash that fixes a file key without telling it."""
    return commitment(salt, {"file_key": base64.b64encode(file_key.raw).decode()})


def check_commitment(salt: str, file_key: FileKey, committed: str) -> None:
    """Return when the file key is the one that was committed to.

    Raises:
        CommitmentBroken: it is another one.
    """
    if file_key_commitment(salt, file_key) != committed:
        raise CommitmentBroken(
            "A file key is not the one that the ledger committed to.",
            "Do not use it; the stored header was exchanged.",
        )


def header_commitment(salt: str, header: bytes) -> Sha256Hex:
    """Return the salted hash that fixes a client-sealed part's header, and its file key with it."""
    return commitment(salt, {"header_sha256": sha256_hex(header)})


def check_header_commitment(salt: str, header: bytes, committed: str) -> None:
    """Return when the header is the one that was committed to.

    Raises:
        CommitmentBroken: it is another one.
    """
    if header_commitment(salt, header) != committed:
        raise CommitmentBroken(
            "The header of a client-sealed part is not the one that the ledger committed to.",
            "Do not use it; the stored header was exchanged.",
        )


def lock_of(text: str) -> Lock:
    """Return the lock that a row names; opening the record proves whether it says so rightly."""
    return CLIENT_LOCK if text == CLIENT_LOCK else "b" if text == "b" else AGENTS_LOCK
