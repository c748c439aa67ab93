"""The public base: taken where a registry answers, given up soon where none does."""

import gzip
import hashlib
import io
import json
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker
import pytest

from builders.sandbox import SandboxSettings
from builders.sandbox_engine import Engine
from builders.sandbox_images import REGISTRY_PATIENCE_SECONDS, pulled

DOCKER = "application/vnd.docker"
NAME = "escrow-tests/base:pulled"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def one_layer_image() -> dict[str, bytes]:
    """Return the answers of a registry that holds one image of one empty layer."""
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    layer = gzip.compress(buffer.getvalue())
    rootfs = {"type": "layers", "diff_ids": [digest(buffer.getvalue())]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.distribution.manifest.v2+json",
        "config": described(f"{DOCKER}.container.image.v1+json", config),
        "layers": [described(f"{DOCKER}.image.rootfs.diff.tar.gzip", layer)],
    }
    told = json.dumps(manifest).encode()
    return {
        "/v2/": b"{}",
        "/v2/debian/manifests/some": told,
        f"/v2/debian/manifests/{digest(told)}": told,
        f"/v2/debian/blobs/{digest(config)}": config,
        f"/v2/debian/blobs/{digest(layer)}": layer,
    }


def described(media: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media, "size": len(content), "digest": digest(content)}


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry on this machine, which the engine may ask without TLS."""
    answers = one_layer_image()

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answers.get(self.path)
            manifest = f"{DOCKER}.distribution.manifest.v2+json"
            self.send_response(404 if content is None else 200)
            kind = manifest if "/manifests/" in self.path else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("Docker-Content-Digest", digest(content or b""))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_public_base_is_taken_from_a_registry_that_answers(registry: str) -> None:
    public = f"{registry}/debian:some"
    assert pulled(Engine(SandboxSettings()), public, NAME)
    client = docker.from_env()
    try:
        assert client.images.get(NAME).id == client.images.get(public).id
    finally:
        client.images.remove(NAME)
        client.images.remove(public)
        client.close()


def test_base_that_a_registry_does_not_have_is_not_taken(registry: str) -> None:
    assert not pulled(Engine(SandboxSettings()), f"{registry}/debian:other", NAME)


def test_registry_that_never_answers_costs_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        public = f"127.0.0.1:{silent.getsockname()[1]}/debian:some"
        begun = time.monotonic()
        assert not pulled(Engine(SandboxSettings()), public, NAME)
    assert time.monotonic() - begun < REGISTRY_PATIENCE_SECONDS + 3
