"""The headers of tus 1.0, read; pure."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from escrow.deposits.drafts import CLIENT_SEALED, PartDescription, SaidSeal
from escrow.deposits.errors import ChecksumUnknown, UploadMalformed, UploadUnknown
from escrow.deposits.upload_values import UploadRequest
from escrow.ground.errors import NotAuthenticated
from escrow.ground.identifiers import DepositId, UploadId

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

# Two names and two words; anything longer is no description of a part.
MAX_METADATA_CHARS = 4096

_PATH = re.compile(r".*/deposits/(?P<deposit>[^/]+)/uploads(?:/(?P<upload>[^/]+))?/?")
ALGORITHMS: Mapping[str, Callable[[], Any]] = {
    "sha256": hashlib.sha256,
    # Offered for clients that know nothing else; the part's own SHA-256 is what counts.
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EPOCH = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True)
class Request:
    """One request, taken apart."""

    method: str
    path: str
    deposit_id: DepositId
    upload_id: UploadId | None
    headers: Mapping[str, str]
    receive: Receive


def take_apart(scope: Scope, receive: Receive) -> Request:
    """Return an HTTP request as one for an upload.

    Raises:
        UploadUnknown: its path leads to none.
    """
    path = scope["path"]
    root = scope.get("root_path", "")
    full = path if path.startswith(root) else root + path
    found = _PATH.fullmatch(full)
    if not found:
        raise UploadUnknown
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    upload = found["upload"]
    # A client that cannot send PATCH or DELETE says so (core protocol, "HTTP Method Override").
    method = scope["method"]
    if method == "POST":
        method = headers.get("x-http-method-override", method)
    return Request(
        method,
        full,
        DepositId(str(found["deposit"])),
        UploadId(upload) if upload else None,
        headers,
        receive,
    )


def token_of(request: Request) -> str:
    """Return the bearer token (RFC 6750).

    Raises:
        NotAuthenticated: there is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated(
            "An upload needs a token.", "Send it as 'Authorization: Bearer esc_…'."
        )
    return token.strip()


def number_of(request: Request, name: str) -> int:
    """Return a header that is a count of bytes.

    Raises:
        UploadMalformed: it is missing or no such number.
    """
    value = request.headers.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise UploadMalformed(
            f"The header {name.title()} is missing or no number.", "Send it with every such call."
        )
    return int(value)


def upload_request_of(request: Request) -> UploadRequest:
    """Return what a client wants to upload, from Upload-Length and Upload-Metadata.

    Raises:
        UploadMalformed: a header is missing or unreadable.
    """
    metadata = _metadata(request.headers.get("upload-metadata", ""))
    sha256 = metadata.get("sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise UploadMalformed("The sha256 of Upload-Metadata is none.", "Send 64 hex digits.")
    if not {"kind", "name", "media"} <= metadata.keys():
        raise UploadMalformed(
            "Upload-Metadata does not say what the part is.", "Send kind, name and media in it."
        )
    part = PartDescription(metadata["kind"], metadata["name"], metadata["media"])
    length = number_of(request, "upload-length")
    return UploadRequest(part, length, sha256, _said_seal(metadata))


def _said_seal(metadata: Mapping[str, str]) -> SaidSeal | None:
    """Return what the client says of a part that its vendor sealed; None where he did not."""
    sealing, epoch = metadata.get("sealing"), metadata.get("epoch")
    if sealing is None and not {"agreement", "epoch"} & metadata.keys():
        return None
    if sealing != CLIENT_SEALED or not (epoch is None or _EPOCH.fullmatch(epoch)):
        raise UploadMalformed(
            "Upload-Metadata does not say how the part is sealed.",
            f"Send sealing '{CLIENT_SEALED}', and with it agreement and epoch (a number), or "
            "none of the three.",
        )
    return SaidSeal(metadata.get("agreement"), int(epoch) if epoch else None)


def _metadata(text: str) -> dict[str, str]:
    """Return the pairs of an Upload-Metadata header (creation extension)."""
    found: dict[str, str] = {}
    try:
        if len(text) > MAX_METADATA_CHARS:
            raise ValueError("too long")
        for pair in filter(None, text.split(",")):
            key, _, value = pair.strip().partition(" ")
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise UploadMalformed(
            "Upload-Metadata cannot be read.",
            "Send pairs of a name and a base64 value, with commas between them.",
        ) from None
    return found


def checksum_of(request: Request) -> tuple[str, bytes] | None:
    """Return algorithm and digest of an Upload-Checksum header (checksum extension), if any.

    Raises:
        ChecksumUnknown: another algorithm, or no base64.
    """
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    with contextlib.suppress(binascii.Error):
        if algorithm in ALGORITHMS:
            return algorithm, base64.b64decode(value.strip(), validate=True)
    raise ChecksumUnknown(
        "The header Upload-Checksum cannot be used.",
        f"Send an algorithm of {', '.join(ALGORITHMS)} and the digest in base64.",
    )
