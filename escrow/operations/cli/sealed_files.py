"""Age files on this machine: what digests they have, and whether a receipt is of exactly them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from escrow.ground.errors import Tampered

_PIECE_BYTES = 1024 * 1024


class NotWhatWasSealed(Tampered):
    """A receipt is not of the age file that the vendor made."""

    code = "cli.not-what-was-sealed"


def digests_of_age_file(path: Path) -> tuple[str, str]:
    """Return the SHA-256 of a file's header and of its payload.

    Raises:
        HeaderMalformed: it does not begin with an age header.
    """
    from escrow.vault.age_format import MAX_HEADER_BYTES, split_header

    with path.open("rb") as file:
        header, beginning = split_header(file.read(2 * MAX_HEADER_BYTES))
        payload = hashlib.sha256(beginning)
        while piece := file.read(_PIECE_BYTES):
            payload.update(piece)
    return hashlib.sha256(header).hexdigest(), payload.hexdigest()


def check_sealed_file(event: Mapping[str, Any], path: Path) -> None:
    """Return when a deposit has a client-sealed part with exactly a file's header and payload.

    The keyholder put Lock B around the header that this event names, and around no other: whoever
    passed the upload on cannot have exchanged it.

    Args:
        event: data of the ledger's event, proven, by which the deposit came to be.
        path: of the age file as its vendor made it.

    Raises:
        NotWhatWasSealed: the event names no such part.
        HeaderMalformed: the file is no age file.
    """
    header, payload = digests_of_age_file(path)
    for part in cast("list[dict[str, Any]]", event.get("parts", [])):
        seal = part.get("client_sealed") or {}
        if (seal.get("header_sha256"), part["payload_sha256"]) == (header, payload):
            return
    raise NotWhatWasSealed(
        f"The receipt is of no client-sealed part with header and payload of {path.name}.",
        "Make the deposit anew, and show file and receipt to operator and agents.",
    )
