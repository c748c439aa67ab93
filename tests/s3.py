"""A real S3 server for tests (SeaweedFS), and a proxy before it that fails as servers do."""

from __future__ import annotations

import http.client
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3

from escrow.ground.storage_settings import LockMode, S3Settings

PORTS = ("s3.port", "master.port", "volume.port", "filer.port")


@dataclass
class S3Server:
    """A running server; every bucket is new."""

    endpoint: str
    access_key_id: str
    secret_access_key: str

    @property
    def client(self):
        """A client that may do everything."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def bucket(
        self,
        folder: Path,
        lock: LockMode = "none",
        lock_days: int = 0,
        endpoint: str | None = None,
        *,
        lockable: bool = False,
    ) -> S3Settings:
        """Make a bucket and return its settings, the access key in a file of the folder."""
        name = f"trial-{secrets.token_hex(6)}"
        self.client.create_bucket(
            Bucket=name, ObjectLockEnabledForBucket=lockable or lock != "none"
        )
        key = folder / f"{name}.toml"
        key.write_text(
            f'access_key_id = "{self.access_key_id}"\n'
            f'secret_access_key = "{self.secret_access_key}"\n'
        )
        return S3Settings(
            endpoint=endpoint or self.endpoint,
            region="us-east-1",
            bucket=name,
            credentials_file=key,
            ca_file=None,
            lock=lock,
            lock_days=lock_days,
        )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    # The server adds 10,000 to a port for its own calls.
    return ports if max(ports) < 55_000 else _free_ports(count)


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run a server of its own in a folder of its own."""
    weed = Path(sys.executable).with_name("weed")
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    ports = _free_ports(len(PORTS))
    options = [f"-{name}={port}" for name, port in zip(PORTS, ports, strict=True)]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"]
    key, secret = "trial", secrets.token_hex(16)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [weed, "mini", f"-dir={folder}", *options],
            env={**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret},
            stdout=log,
            stderr=log,
        )
    try:
        server = S3Server(f"http://127.0.0.1:{ports[0]}", key, secret)
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.client.list_buckets()
            return
        except Exception:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no S3 server: {log.read_text()[-2000:]}") from None
            time.sleep(0.3)


@dataclass
class Faults:
    """What a proxy does to requests; each kind is counted.

    Args:
        rate: share of the requests that fail.
        kinds: ``refused`` (503, nothing done), ``cut`` (closed before it is done), ``lost`` (done,
            the answer lost), ``torn`` (half of the answer's body), ``silent`` (done, no answer).
    """

    rate: float = 0.0
    kinds: tuple[str, ...] = ("refused", "cut", "lost", "torn")
    silence_seconds: float = 3.0
    random: random.Random = field(default_factory=lambda: random.Random(5))
    counted: dict[str, int] = field(default_factory=dict)

    def next(self) -> str | None:
        """Return what is to happen to the next request."""
        if self.random.random() >= self.rate:
            return None
        kind = self.random.choice(self.kinds)
        self.counted[kind] = self.counted.get(kind, 0) + 1
        return kind


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, server: S3Server, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = server.endpoint.removeprefix("http://")
        self.faults = faults

    def handle_error(self, *_: object) -> None:
        """A client that gave up is what is tried here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.faults.next()
        if fault == "refused":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault == "cut":
            self.close_connection = True
        else:
            answer, content = self._asked(body)
            self._give(answer, content, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request

    def _asked(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        inner = http.client.HTTPConnection(self.server.host, timeout=60)
        inner.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                inner.putheader(name, value)
        inner.endheaders(body)
        answer = inner.getresponse()
        content = answer.read()
        inner.close()
        return answer, content

    def _give(self, answer: http.client.HTTPResponse, content: bytes, fault: str | None) -> None:
        if fault == "silent":
            time.sleep(self.server.faults.silence_seconds)
        if fault in ("lost", "silent"):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if fault == "torn":
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def failing_proxy(server: S3Server, faults: Faults) -> Iterator[str]:
    """Serve a proxy before a server and give its address."""
    proxy = _Proxy(server, faults)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
