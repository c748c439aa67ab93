"""Sending one part by tus 1.0: in pieces, resumed after an interruption, with a progress bar."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin

from escrow.operations.cli import remote
from escrow.operations.cli.material import Material
from escrow.operations.cli.output import complain

if TYPE_CHECKING:
    from rich.progress import Progress

# One request carries this much: small enough that a dropped connection costs little, large enough
# that the round trips do not show.
PIECE_BYTES = 64 * 1024 * 1024
_READ_BYTES = 1024 * 1024

# A connection that drops is tried again this often, waiting a little longer each time.
ATTEMPTS = 6

_TUS = {"Tus-Resumable": "1.0.0"}


def send_material(deposit: str, material: Material) -> dict[str, object]:
    """Upload one part of a draft and return what the service says of it.

    Raises:
        EscrowError: the service refused it.
        ServiceOut: it stopped answering and did not come back.
    """
    length = material.path.stat().st_size
    known = _Remembered(deposit, material, length)
    location = known.location or _create(deposit, material, length)
    known.remember(location)
    with _progress() as progress, material.path.open("rb") as file:
        task = progress.add_task(material.name, total=length)
        offset = -1
        while offset < length:
            offset = _offset(location) if offset < 0 else offset
            progress.update(task, completed=offset)
            if offset < length:
                offset = _piece(location, file, offset, lambda n: progress.update(task, advance=n))
    known.forget()
    return {"kind": material.kind, "name": material.name, "size_bytes": length}


def _create(deposit: str, material: Material, length: int) -> str:
    fields = {"kind": material.kind, "name": material.name, "media": material.media}
    fields |= _said_of_seal(material)
    metadata = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items()
    )
    headers = {**_TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    with remote.connection() as client:
        answer = client.post(f"/deposits/{remote.id_path(deposit)}/uploads", headers=headers)
    remote.check_answer(answer)
    # Absolute or not (RFC 9110, section 10.2.2): it is taken relative to where it was asked.
    return urljoin(str(answer.request.url), answer.headers["Location"])


def _said_of_seal(material: Material) -> dict[str, str]:
    """Return what is said besides of a part that its vendor sealed: nobody else can check it."""
    if material.seal is None:
        return {}
    with material.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    said = {"sealing": "client-sealed", "agreement": material.seal.agreement, "sha256": digest}
    return said | ({"epoch": str(material.seal.epoch)} if material.seal.epoch else {})


def _offset(location: str) -> int:
    for attempt in range(ATTEMPTS):
        try:
            with remote.connection() as client:
                answer = client.head(location, headers=_TUS)
            remote.check_answer(answer)
            return int(answer.headers["Upload-Offset"])
        except remote.ServiceOut:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(2**attempt)
    raise AssertionError("the loop returns or raises")


def _piece(location: str, file: BinaryIO, offset: int, tell: Callable[[int], None]) -> int:
    """Send one piece; return the new offset, or -1 when it has to be asked for."""
    file.seek(offset)
    left = PIECE_BYTES

    def chunks() -> Iterator[bytes]:
        nonlocal left
        while left and (chunk := file.read(min(_READ_BYTES, left))):
            left -= len(chunk)
            tell(len(chunk))
            yield chunk

    headers = {
        **_TUS,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
    }
    try:
        with remote.connection() as client:
            answer = client.patch(location, content=chunks(), headers=headers)
    except remote.ServiceOut:
        complain("The connection dropped; going on where it stopped …")
        return -1
    if answer.status_code in (409, 503):
        # Another offset than ours, or busy: the service's word on the offset decides.
        return -1
    remote.check_answer(answer)
    return int(answer.headers["Upload-Offset"])


class _Remembered:
    """Where an upload of the same bytes to the same draft was begun, so that it is resumed."""

    def __init__(self, deposit: str, material: Material, length: int) -> None:
        stat = material.path.stat()
        text = json.dumps(
            [deposit, material.kind, material.name, str(material.path), length, stat.st_mtime_ns]
        )
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "escrow-uploads"
        self._path = cache / hashlib.sha256(text.encode()).hexdigest()

    @property
    def location(self) -> str | None:
        """The upload's address, when it still stands at the service."""
        if not self._path.exists():
            return None
        location = self._path.read_text(encoding="utf-8")
        with remote.connection() as client:
            answer = client.head(location, headers=_TUS)
        return location if answer.is_success else None

    def remember(self, location: str) -> None:
        """Keep the address until the upload is complete."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(location, encoding="utf-8")

    def forget(self) -> None:
        """Drop it; the upload is complete."""
        self._path.unlink(missing_ok=True)


def _progress() -> Progress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
