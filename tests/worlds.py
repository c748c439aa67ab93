"""What stands around a running service in tests: clients that do exactly what they are told."""

from __future__ import annotations

import base64
import io
import socket
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from demo.cast import PRODUCT

DEPOSITS = f"/api/v1/products/{PRODUCT}/deposits"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


def http(url: str, token: str) -> httpx.Client:
    """Return a client of one token; the machine's proxies do not come between."""
    headers = {"Authorization": f"Bearer {token}"}
    # No connection is kept, so that none is left open when a test forgets its client.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, headers=headers, timeout=60, limits=limits, trust_env=False)


def tar_of(files: Mapping[str, str]) -> bytes:
    """Return a tar archive of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return out.getvalue()


@dataclass
class Draft:
    """A deposit that is being uploaded."""

    client: httpx.Client
    id: str

    @classmethod
    def begin(cls, client: httpx.Client) -> Draft:
        """Open one."""
        return cls(client, str(client.post(DEPOSITS).raise_for_status().json()["id"]))

    def create(self, length: int) -> str:
        """Announce the source as a tar archive; return the upload's path."""
        fields = {"kind": "source", "name": "source", "media": "tar"}
        packed = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in fields.items())
        headers = TUS | {"Upload-Length": str(length), "Upload-Metadata": packed}
        answer = self.client.post(f"/api/v1/deposits/{self.id}/uploads", headers=headers)
        return urlsplit(answer.raise_for_status().headers["Location"]).path

    def offset(self, upload: str) -> int:
        """Return how far an upload is."""
        return int(
            self.client.head(upload, headers=TUS).raise_for_status().headers["Upload-Offset"]
        )

    def send(self, upload: str, offset: int, content: bytes) -> None:
        """Send a piece."""
        headers = TUS | {"Content-Type": PIECE, "Upload-Offset": str(offset)}
        self.client.patch(upload, content=content, headers=headers).raise_for_status()

    def send_and_drop(self, upload: str, content: bytes, sent: int) -> None:
        """Announce a whole piece, send its beginning, and drop the connection."""
        address = urlsplit(str(self.client.base_url))
        lines = {
            **TUS,
            "Host": address.netloc,
            "Authorization": self.client.headers["Authorization"],
            "Content-Type": PIECE,
            "Upload-Offset": "0",
            "Content-Length": str(len(content)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection((address.hostname or "", address.port or 80)) as line:
            line.sendall(f"PATCH {upload} HTTP/1.1\r\n{head}\r\n".encode() + content[:sent])

    def finish(self) -> int:
        """Seal the draft; return the deposit's number."""
        answer = self.client.post(f"/api/v1/deposits/{self.id}/finish")
        return int(answer.raise_for_status().json()["number"])


def deposit_tar(client: httpx.Client, files: Mapping[str, str]) -> tuple[str, int]:
    """Deposit a source tree by upload; return the deposit's id and number."""
    draft, content = Draft.begin(client), tar_of(files)
    draft.send(draft.create(len(content)), 0, content)
    return draft.id, draft.finish()


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the service's database as somebody would who has its file."""
    connection = sqlite3.connect(folder / "home" / "database" / "escrow.db", timeout=30)
    try:
        yield connection
    finally:
        connection.close()
