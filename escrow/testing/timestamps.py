"""A timestamp authority of trials: stock ``openssl ts`` behind a small HTTP server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from escrow.evidence.anchors import TimestampAuthority
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.timing import records
from escrow.ground.database import Database

# No trial has more papers.
MAX_WAITING = 1_000

# The signer's certificate alone is embedded: with the chain beside it OpenSSL 3.0 writes a set
# that is not in the order of DER, which strict readers refuse.
_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = tsa_one
[tsa_one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def waits_for_time(database: Database, text: str) -> bool:
    """Return whether every signature of a document waits for its timestamp."""
    document = SignedDocument.from_json(text)
    signatures = {one.signature for one in (document.leading, *document.beside)}
    with database.reading() as session:
        waiting = dict(records.oldest_waiting(session, MAX_WAITING))
    return signatures <= set(waiting.values())


class TrialAuthority:
    """An authority with keys of its own.

    Args:
        folder: empty; keys, certificates and the serial number are made in it.
        name: of the authority; two of one name still share no key.
        now: its clock; the machine's own by default.
    """

    def __init__(
        self, folder: Path, name: str = "trial-tsa", now: Callable[[], datetime] | None = None
    ) -> None:
        self._now = now
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.url = ""
        self.is_silent = False
        (folder / "config").write_text(_CONFIG.format(folder=folder, name=name))
        (folder / "serial").write_text("01\n")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        common = ("req", "-config", "config", *curve)
        # A trial lets months pass; openssl's own default is thirty days.
        lasting = ("-days", "3650")
        certifying = ("-x509", *lasting, "-extensions", "ca")
        self._openssl(*common, *certifying, "-keyout", "ca.key", "-out", "ca.pem")
        self._openssl(
            *common, "-subj", f"/CN={name} signer", "-keyout", "signer.key", "-out", "csr"
        )
        signing = (
            *lasting,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "config",
        )
        self._openssl(
            "x509", "-req", "-in", "csr", *signing, "-extensions", "signer", "-out", "signer.pem"
        )

    @property
    def authority(self) -> TimestampAuthority:
        """As a trust root names it."""
        return TimestampAuthority(
            self.name,
            self.url or f"http://{self.name}.authority",
            ((self.folder / "ca.pem").read_text(),),
        )

    def reply(self, query: bytes) -> bytes:
        """Return the response to a query."""
        (self.folder / "query.tsq").write_bytes(query)
        config = ("-config", "config", "-section", "tsa_one")
        self._openssl("ts", "-reply", *config, "-queryfile", "query.tsq", "-out", "reply.tsr")
        return (self.folder / "reply.tsr").read_bytes()

    @contextmanager
    def serving(self) -> Iterator[TimestampAuthority]:
        """Answer over HTTP on a port of this machine."""
        trial = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if trial.is_silent:
                    self.send_error(503)
                    return
                token = trial.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(token)))
                self.end_headers()
                self.wfile.write(token)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self.authority
        finally:
            server.shutdown()
            server.server_close()

    def _openssl(self, *arguments: str) -> None:
        command, environment = ["openssl", *arguments], {**os.environ, "TZ": "UTC"}
        if self._now is not None:
            command = ["faketime", "-f", f"{self._now():%Y-%m-%d %H:%M:%S}", *command]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, env=environment)
