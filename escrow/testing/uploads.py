"""A tus client that does exactly what it is told, rightly or wrongly."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Self

import httpx

from escrow.ground.identifiers import DepositId


class TusClient:
    """Talks to the uploads of one draft.

    Args:
        url: of the server.
        token: sent unless another is given.
    """

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60)
        self._token = token
        self.deposit = DepositId("dep_none")

    def create(
        self,
        name: str,
        length: int,
        *,
        kind: str = "data",
        sha256: str | None = None,
        metadata: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Create an upload."""
        fields = {"kind": kind, "name": name, "media": "file"} | (
            {"sha256": sha256} if sha256 else {}
        )
        packed = ",".join(
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items()
        )
        sent = {
            "Upload-Length": str(length),
            "Upload-Metadata": packed if metadata is None else metadata,
            **(headers or {}),
        }
        return self._send("POST", f"/api/v1/deposits/{self.deposit}/uploads", sent, token)

    def patch(
        self,
        location: str,
        offset: int,
        content: bytes | Iterator[bytes],
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
    ) -> httpx.Response:
        """Send a piece."""
        sent = {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            **(headers or {}),
        }
        return self._send("PATCH", location, sent, token, content)

    def head(self, location: str, *, token: str | None = None) -> httpx.Response:
        """Ask how far an upload is."""
        return self._send("HEAD", location, {}, token)

    def offset(self, location: str) -> int:
        """Return how far an upload is."""
        return int(self.head(location).headers["upload-offset"])

    def delete(self, location: str, *, token: str | None = None) -> httpx.Response:
        """Give an upload up."""
        return self._send("DELETE", location, {}, token)

    def options(self) -> httpx.Response:
        """Ask what the server can do, without a token."""
        return self._send("OPTIONS", "/api/v1/deposits/any/uploads", {}, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        token: str | None,
        content: bytes | Iterator[bytes] | None = None,
    ) -> httpx.Response:
        bearer = self._token if token is None else token
        own = {"Tus-Resumable": "1.0.0"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        return self._client.request(method, path, headers=own | dict(headers), content=content)
