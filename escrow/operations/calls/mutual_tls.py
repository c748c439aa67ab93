"""Calls over one TCP port: TLS 1.3, and both sides prove themselves by a pinned certificate.

There is no authority whose word would count: each process makes a certificate for itself, and the
others have exactly that one pinned (:mod:`escrow.ground.certificates`). The certificate *is* the
role. What is deliberately not checked is the name in it: the peer is found at an address that
anybody on the network could take over, and proves itself by its key alone.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import socketserver
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from escrow.operations.calls.lines import CALL_TIMEOUT_SECONDS, MAX_LINE_BYTES, Desk

# Both ends are in one data centre; who has not answered by then is not there.
CONNECT_SECONDS = 10.0

# A stranger who says nothing holds a thread of ours for so long and no longer.
HANDSHAKE_SECONDS = 10.0

_log = logging.getLogger("escrow.calls")


@dataclass(frozen=True)
class Address:
    """Host and port of a process."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address that ``host:port`` names; the settings have checked its form."""
        host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True)
class Credentials:
    """A process's own certificate and key, both PEM files; the key is read by OpenSSL alone."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class TlsLine:
    """The way to one process at an address.

    Args:
        address: where it listens.
        own: by which we prove ourselves.
        peer: its certificate (PEM), as it was pinned.
    """

    address: Address
    own: Credentials
    peer: str

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Give a connection on which the peer has proven itself.

        Raises:
            OSError: nobody answers, or it cannot prove that it is the pinned process.
        """
        where = (self.address.host, self.address.port)
        with socket.create_connection(where, CONNECT_SECONDS) as plain:
            plain.settimeout(CALL_TIMEOUT_SECONDS)
            with self._context.wrap_socket(plain) as connection:
                # OpenSSL has verified it against the one trust anchor that there is; that the
                # certificate is that very one is asked again, since all rests on it.
                if _digest(connection.getpeercert(binary_form=True)) != pem_digest(self.peer):
                    raise ssl.SSLCertVerificationError("another certificate than the pinned one")
                yield connection

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return _context(ssl.PROTOCOL_TLS_CLIENT, self.own, [self.peer])


class TlsServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers calls on a TCP port; one thread a call, no state between calls.

    Args:
        address: where to listen.
        own: by which we prove ourselves.
        peers: role to certificate (PEM) of each process that is answered.
        desk: what each role may ask.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, address: Address, own: Credentials, peers: Mapping[str, str], desk: Desk
    ) -> None:
        self.desk = desk
        self.context = _context(ssl.PROTOCOL_TLS_SERVER, own, peers.values())
        self._roles = {pem_digest(pem): role for role, pem in peers.items()}
        super().__init__((address.host, address.port), _Call)

    def role_of(self, certificate: bytes | None) -> str:
        """Return whose certificate this is.

        Raises:
            ssl.SSLCertVerificationError: nobody's that was pinned.
        """
        role = self._roles.get(_digest(certificate))
        if role is None:
            raise ssl.SSLCertVerificationError("no pinned certificate")
        return role


class _Call(socketserver.BaseRequestHandler):
    """One handshake, one request and its answer."""

    server: TlsServer

    def handle(self) -> None:
        """Answer the one request of this connection; a stranger hears nothing but TLS's alert."""
        # The handshake is done here, in the call's own thread: one that hangs holds up nobody.
        self.request.settimeout(HANDSHAKE_SECONDS)
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as connection:
                role = self.server.role_of(connection.getpeercert(binary_form=True))
                connection.settimeout(CALL_TIMEOUT_SECONDS)
                with connection.makefile("rb") as stream:
                    line = stream.readline(MAX_LINE_BYTES)
                connection.sendall(self.server.desk.answer(role, line))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # Came and went without a word, as the health check beside us does.
            return
        except OSError as problem:
            _log.warning("refused a connection from %s: %s", self.client_address[0], problem)


def pem_digest(pem: str) -> str:
    """Return the SHA-256 of a PEM certificate's bytes, in hex."""
    return _digest(ssl.PEM_cert_to_DER_cert(pem))


def _digest(certificate: bytes | None) -> str:
    return hashlib.sha256(certificate or b"").hexdigest()


def _context(protocol: int, own: Credentials, peers: Iterable[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Names prove nothing here, see above.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        # No resumption: every connection proves itself anew.
        context.num_tickets = 0
    context.load_cert_chain(own.certificate, own.key)
    # The pinned certificates and nothing of the system's.
    context.load_verify_locations(cadata="\n".join(peers))
    return context
