"""Somebody on the internal network speaks to the keyholder's port without being who he should."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from escrow.operations.calls.lines import CallNotAllowed
from escrow.operations.calls.mutual_tls import Address, TlsLine
from escrow.operations.keyholder.client import call
from escrow.operations.keyholder.wire import MAY_ASK, KeyholderOut, keyholder_desk
from escrow.testing.lines import Installation

DEPOSIT = {"deposit_id": "dep_1"}
REQUEST = b'{"verb": "ping", "arguments": {}}\n'


@dataclass
class Port:
    """A keyholder that writes down what it was made to do."""

    place: Installation
    address: Address
    done: list[str]

    def line(self, name: str) -> TlsLine:
        return self.place.line(name, self.address)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    done: list[str] = []
    every = set().union(*MAY_ASK.values())
    verbs = {name: lambda name=name, **_: done.append(name) for name in every}
    place = Installation(tmp_path)
    with place.keyholder(keyholder_desk(verbs)) as address:
        yield Port(place, address, done)


def _says(connection: socket.socket) -> bytes:
    """Return what comes after a request; a refusal may come as an end or as an error."""
    connection.settimeout(5)
    try:
        connection.sendall(REQUEST)
        return connection.recv(4096)
    except (ConnectionError, ssl.SSLError):
        return b""


def test_plaintext_is_not_understood(port: Port) -> None:
    with socket.create_connection((port.address.host, port.address.port)) as connection:
        answer = _says(connection)
    # At most TLS's own alert, a record of type 21 (RFC 8446, section 5.1).
    assert answer[:1] in (b"", b"\x15")
    assert port.done == []


def test_no_certificate(port: Port) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((port.address.host, port.address.port)) as plain,
        context.wrap_socket(plain) as connection,
    ):
        assert _says(connection) == b""
    assert port.done == []


def test_an_older_protocol(port: Port) -> None:
    own = port.place.credentials("portal")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(own.certificate, own.key)
    with (
        socket.create_connection((port.address.host, port.address.port)) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain)
    assert port.done == []


@pytest.mark.parametrize("subject", ["stranger", "portal"])
def test_a_certificate_that_nobody_pinned(port: Port, subject: str) -> None:
    port.place.certify("stranger", subject)
    with pytest.raises(KeyholderOut, match="certificates"):
        call(port.line("stranger"), "ping", {})
    assert port.done == []


def test_a_portal_that_asks_for_the_file_keys_of_a_deposit(port: Port) -> None:
    with pytest.raises(CallNotAllowed, match="portal may not ask"):
        call(port.line("portal"), "open-for-verification", DEPOSIT)
    assert port.done == []


@pytest.mark.parametrize("verb", ["open-lane", "execute-release", "hold-ceremony", "open-document"])
def test_a_worker_that_asks_for_what_is_the_portals(port: Port, verb: str) -> None:
    with pytest.raises(CallNotAllowed, match="worker may not ask"):
        call(port.line("worker"), verb, DEPOSIT)
    assert port.done == []


def test_somebody_who_listens_in_the_keyholders_place(port: Port) -> None:
    # The worker's certificate is known to the portal's machine too, and is not the keyholder's.
    place = port.place
    other = replace(port.line("portal"), peer=place.certify("impostor", "keyholder"))
    with pytest.raises(KeyholderOut, match="certificates"):
        call(other, "ping", {})
    assert port.done == []


def test_whoever_is_who_he_should_be_is_answered(port: Port) -> None:
    call(port.line("worker"), "open-for-verification", DEPOSIT)
    call(port.line("portal"), "execute-release", {"request_id": "req_1"})
    assert port.done == ["open-for-verification", "execute-release"]
