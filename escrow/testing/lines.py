"""Processes of one installation that know each other's certificates, without the processes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from escrow.ground.certificates import ensure_certificate
from escrow.operations.calls.lines import Desk
from escrow.operations.calls.mutual_tls import Address, Credentials, TlsLine, TlsServer


class Installation:
    """The certificates of portal, worker and keyholder in a folder, each pinned by the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem = {role: self.certify(role) for role in ("portal", "worker", "keyholder")}

    def certify(self, name: str, subject: str = "") -> str:
        """Make a certificate of that name and return it; a stranger's may have another's subject.

        Args:
            name: of the files.
            subject: stands in the certificate; the name when empty.
        """
        own = self.credentials(name)
        return ensure_certificate(own.certificate, own.key, subject or name, datetime.now(UTC))

    def credentials(self, name: str) -> Credentials:
        """Return the files of a process."""
        return Credentials(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    def line(self, name: str, address: Address) -> TlsLine:
        """Return the way from a process to the keyholder."""
        return TlsLine(address, self.credentials(name), self.pem["keyholder"])

    @contextmanager
    def keyholder(self, desk: Desk) -> Iterator[Address]:
        """Answer as the keyholder, on a free port of loopback."""
        peers = {role: self.pem[role] for role in ("portal", "worker")}
        server = TlsServer(Address("127.0.0.1", 0), self.credentials("keyholder"), peers, desk)
        with serving(server):
            yield Address("127.0.0.1", server.server_address[1])


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Run a server in a thread of its own, and end both."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
