"""A small server that speaks the part of Vault's transit API that our key manager uses.

It is no Vault: it is written from the API's documentation, with the traps that the documentation
names (a key is made by *encrypt*; making one twice is no error; no key is deleted unless it may
be). A real Vault was not to be had.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.trial"


@dataclass
class TransitServer:
    """The engine's keys, and how it is to behave."""

    url: str = ""
    keys: dict[str, dict] = field(default_factory=dict)
    sealed: bool = False
    silent_seconds: float = 0
    requests: list[str] = field(default_factory=list)


@contextmanager
def transit_server() -> Iterator[TransitServer]:
    state = TransitServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet for head and body: in two, each answer waits 40 ms for an acknowledgement.
        wbufsize = 65536

        def log_message(self, *_: object) -> None: ...

        def answer(self, status: int, document: dict | None = None) -> None:
            body = json.dumps(document).encode() if document is not None else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            state.requests.append(f"{self.command} {self.path}")
            time.sleep(state.silent_seconds)
            if state.sealed:
                return self.answer(503, {"errors": ["Vault is sealed"]})
            if self.headers.get("X-Vault-Token") != TOKEN:
                return self.answer(403, {"errors": ["permission denied"]})
            verb, _, rest = self.path.removeprefix("/v1/transit/").partition("/")
            name, _, tail = rest.partition("/")
            return self.answer(*transit(state, self.command, verb, name, tail, body))

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def transit(
    state: TransitServer, method: str, verb: str, name: str, tail: str, body: dict
) -> tuple[int, dict | None]:
    if verb == "keys":
        return manage(state, method, name, tail, body)
    if verb == "encrypt" and name not in state.keys:
        make(state, name, "aes256-gcm96")
    if name not in state.keys:
        return 400, {"errors": ["encryption key not found"]}
    return use(state.keys[name], verb, body)


def manage(
    state: TransitServer, method: str, name: str, tail: str, body: dict
) -> tuple[int, dict | None]:
    key = state.keys.get(name)
    if method in ("POST", "PUT"):
        if tail == "config" and key:
            key["deletion_allowed"] = bool(body.get("deletion_allowed"))
        elif key is None and not tail:
            make(state, name, body.get("type", "aes256-gcm96"))
        return 200, {"data": {}}
    if key is None:
        return 404, {"errors": []}
    if method == "DELETE":
        if not key["deletion_allowed"]:
            return 400, {"errors": ["deletion is not allowed for this key"]}
        del state.keys[name]
        return 204, None
    shown = {"name": name, "type": key["type"], "deletion_allowed": key["deletion_allowed"]}
    shown |= {"latest_version": 1, "min_available_version": 0, "keys": {"1": key["made_at"]}}
    return 200, {"data": shown}


def use(key: dict, verb: str, body: dict) -> tuple[int, dict | None]:
    aad = base64.b64decode(body.get("associated_data", ""))
    cipher = AESGCM(key["secret"])
    if verb == "encrypt":
        nonce = secrets.token_bytes(12)
        sealed = nonce + cipher.encrypt(nonce, base64.b64decode(body["plaintext"]), aad)
        return 200, {"data": {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()}}
    try:
        version, _, text = body["ciphertext"].removeprefix("vault:").partition(":")
        if version != "v1":
            raise ValueError("ciphertext version is disallowed by policy")
        raw = base64.b64decode(text)
        plaintext = cipher.decrypt(raw[:12], raw[12:], aad)
    except (InvalidTag, ValueError):
        return 400, {"errors": ["cipher: message authentication failed"]}
    return 200, {"data": {"plaintext": base64.b64encode(plaintext).decode()}}


def make(state: TransitServer, name: str, kind: str) -> dict:
    state.keys[name] = {
        "type": kind,
        "secret": AESGCM.generate_key(256),
        "deletion_allowed": False,
        "made_at": int(time.time()),
    }
    return state.keys[name]
