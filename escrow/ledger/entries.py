"""The bytes of an entry: an event, and the signature of the role that wrote it.

Guarantees: what :func:`parse_entry` returns came from the one byte form that an entry has, so a
digest of the bytes is a digest of the content. It proves no signature: ask
:meth:`SignedEvent.check_role_signature` with a key that the reader trusts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from escrow.ground.clock import parse_rfc3339, rfc3339
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import BadSignature, PublicKey, Signer
from escrow.ledger.errors import EntryMalformed, RoleSignatureWrong, RoleUnknown
from escrow.ledger.events import (
    EVENT_VERSION,
    MAX_DATA_BYTES,
    MAX_INTEGER,
    ROLES,
    Event,
    NewEvent,
    Role,
    Stream,
    StreamKind,
    canonical_ascii,
    role_behind,
)

# Separates a role's signature over an event from everything else that its key may ever sign.
EVENT_CONTEXT = b"escrow-event/1\0"

# The data's bound and what stands around it; a reader refuses more before he parses.
MAX_ENTRY_BYTES = MAX_DATA_BYTES + 4096

_EVENT_KEYS = {
    "v", "nonce", "stream", "sequence", "previous", "type", "role", "actor", "at", "data",
}  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SignedEvent:
    """A well-formed entry taken apart; its signature is not yet proven.

    Args:
        event: what is claimed.
        key_id: SHA-256 (hex) of the key that is said to have signed.
        signature: 64 bytes, to be checked.
        signed_bytes: exactly what the role must have signed.
        entry_sha256: digest of the whole entry.
    """

    event: Event
    key_id: str
    signature: bytes
    signed_bytes: bytes
    entry_sha256: Sha256Hex

    def check_role_signature(self, roles: Mapping[str, PublicKey]) -> None:
        """Return when a key that the reader trusts for the role signed this event.

        Args:
            roles: role name to key, from the reader's trust root; a second worker's key stands
                under its own name (``worker/second``) and signs in the same role.

        Raises:
            RoleUnknown: no key is trusted for the role, or only others are.
            RoleSignatureWrong: the signature does not hold.
        """
        key = next(
            (
                one
                for name, one in roles.items()
                if one.key_id == self.key_id and role_behind(name) == self.event.role
            ),
            None,
        )
        if key is None:
            raise RoleUnknown(
                f"The entry claims the role {self.event.role!r} with the key {self.key_id[:16]}, "
                "which the trust root does not name for it."
            )
        try:
            key.check_signature(self.signature, self.signed_bytes)
        except BadSignature:
            raise RoleSignatureWrong(
                f"The signature of the role {self.event.role!r} does not hold over this event."
            ) from None


def sign_entry(event: Event, signer: Signer) -> bytes:
    """Return the bytes of an entry: the event signed by its role's key."""
    event_bytes = canonical_ascii(event.to_json())
    claim = (
        event_bytes,
        signer.public.key_id.encode("ascii"),
        event.role.encode("ascii"),
        base64.b64encode(signer.sign(EVENT_CONTEXT + event_bytes)),
    )
    # The canonical form of the whole: the names stand in their order, and neither hexadecimal
    # digits nor a role nor base64 hold anything to escape.
    return b'{"event":%b,"signature":{"key_id":"%b","role":"%b","signature":"%b"}}' % claim


def parse_entry(unverified_entry: bytes) -> SignedEvent:
    """Return the event in an entry's bytes, form checked, signature not.

    Raises:
        EntryMalformed: not the one canonical form of an entry of version 1.
    """
    if len(unverified_entry) > MAX_ENTRY_BYTES:
        raise EntryMalformed(f"The entry is longer than {MAX_ENTRY_BYTES} bytes.")
    try:
        whole = json.loads(unverified_entry)
        # The one form: whatever differs in a space, an order or an escape is no entry.
        if canonical_ascii(whole) != unverified_entry or set(whole) != {"event", "signature"}:
            raise ValueError("not canonical")
        event = _event(whole["event"])
        claim = whole["signature"]
        signature = base64.b64decode(claim["signature"], validate=True)
        if (
            set(claim) != {"key_id", "role", "signature"}
            or claim["role"] != event.role
            or not _SHA256.fullmatch(claim["key_id"])
            or len(signature) != 64
        ):
            raise ValueError("signature block")
    except (ValueError, KeyError, TypeError, RecursionError, InvalidInput, binascii.Error):
        raise EntryMalformed("The entry is not in the form of a ledger entry, version 1.") from None
    return SignedEvent(
        event=event,
        key_id=claim["key_id"],
        signature=signature,
        signed_bytes=EVENT_CONTEXT + canonical_ascii(whole["event"]),
        entry_sha256=Sha256Hex(hashlib.sha256(unverified_entry).hexdigest()),
    )


def _event(value: dict[str, object]) -> Event:
    if set(value) != _EVENT_KEYS or value["v"] != EVENT_VERSION or value["role"] not in ROLES:
        raise ValueError("event keys")
    stream = cast("dict[str, str]", value["stream"])
    if set(stream) != {"kind", "id"}:
        raise ValueError("stream keys")
    # The grammar of type, actor and data is the writer's own: one rule for both directions.
    new = NewEvent(
        Stream(cast("StreamKind", stream["kind"]), stream["id"]),
        cast("str", value["type"]),
        cast("str", value["actor"]),
        cast("Mapping[str, object]", value["data"]),
    )
    if not isinstance(new.data, dict) or not isinstance(new.actor, str):
        raise ValueError("data")
    return Event(
        stream=new.stream,
        sequence=_sequence(value["sequence"]),
        previous=None if value["previous"] is None else _sha256(value["previous"]),
        type=new.type,
        role=cast("Role", value["role"]),
        actor=new.actor,
        at=_moment(value["at"]),
        nonce=_sha256(value["nonce"]),
        data=new.data,
    )


def _sequence(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise ValueError("sequence")
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("digest")
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("time")
    moment = parse_rfc3339(value)
    if rfc3339(moment) != value:
        raise ValueError("time form")
    return moment
