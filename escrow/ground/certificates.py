"""Certificates by which the processes of one installation know each other on a network.

Each process makes one for itself, once, and keeps its key; others pin the certificate. Guarantees:
it is nobody's authority (it cannot vouch for another), and it has no end: pinned by hand like a
key, it would otherwise stop an installation on a day that nobody remembers (RFC 5280, section
4.1.2.5 names the date that means this). It is replaced by making and pinning another.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from escrow.ground.paths import write_whole
from escrow.ground.signatures import SigningKey

NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

# Machines whose clocks differ must still believe a certificate that was made a moment ago.
CLOCK_TOLERANCE = timedelta(days=1)


def ensure_certificate(certificate: Path, key: Path, name: str, now: datetime) -> str:
    """Return the process's own certificate (PEM), made with its key when it is missing.

    Args:
        certificate: file, readable by all.
        key: file, readable by its owner.
        name: tells people whose it is; different for each process, since trust anchors are
            looked up by it.
        now: UTC.
    """
    if not certificate.exists():
        if not key.exists():
            SigningKey.generate().write(key, None)
        write_whole(certificate, _self_signed(key, name, now), 0o644)
    return certificate.read_text(encoding="ascii")


def read_certificate(pem: str) -> x509.Certificate:
    """Return the one certificate that a PEM text holds.

    Raises:
        ValueError: none, several, or something else.
    """
    found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    if len(found) != 1:
        raise ValueError("exactly one certificate")
    return found[0]


def _self_signed(key: Path, name: str, now: datetime) -> str:
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError("a process's own key is Ed25519")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(NO_END)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .sign(private, None)
    )
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")
