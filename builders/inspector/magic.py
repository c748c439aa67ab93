"""Tell what bytes are by their first ones: containers, encryption, pointers.

Nothing is guessed: what is not recognised is a plain file.
"""

from __future__ import annotations

import re

HEAD_BYTES = 1024

# What stands at the front of a file that only a key or a password opens.
_ENCRYPTED: tuple[tuple[bytes, str], ...] = (
    (b"age-encryption.org/v1", "age"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
    (b"-----BEGIN PGP MESSAGE-----", "OpenPGP"),
    (b"Salted__", "openssl enc"),
    (b"$ANSIBLE_VAULT;", "Ansible Vault"),
    (b"\x00GITCRYPT\x00", "git-crypt"),
    (b"LUKS\xba\xbe", "LUKS"),
)

_CONTAINERS: tuple[tuple[bytes, str], ...] = (
    (b"# v2 git bundle\n", "git-bundle"),
    (b"# v3 git bundle\n", "git-bundle"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
)

# Tags of an OpenPGP message that is encrypted: session key packets and encrypted data (RFC 4880,
# section 4.3). A binary one is recognised by its name as well, for one byte alone proves nothing.
_PGP_ENCRYPTED_TAGS = frozenset((1, 3, 9, 18, 20))
_PGP_NAMES = (b".gpg", b".pgp")

_LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n"
)

_ELF_TYPE_OFFSET, _ELF_RELOCATABLE = 16, (b"\x01\x00", b"\x00\x01")


def container(head: bytes) -> str | None:
    """Return which container format begins like this."""
    for mark, name in _CONTAINERS:
        if head.startswith(mark):
            return name
    return "tar" if head[257:262] == b"ustar" else None


def encryption(head: bytes, name: bytes) -> str | None:
    """Return by what method a file is encrypted as a whole, if it is."""
    for mark, method in _ENCRYPTED:
        if head.startswith(mark):
            return method
    if name.lower().endswith(_PGP_NAMES) and head and head[0] & 0x80:
        tag = head[0] & 0x3F if head[0] & 0x40 else (head[0] & 0x3C) >> 2
        return "OpenPGP" if tag in _PGP_ENCRYPTED_TAGS else None
    return None


def lfs_pointer(content: bytes) -> tuple[str, str] | None:
    """Return id and size of the object that a whole small file points to."""
    match = _LFS_POINTER.fullmatch(content)
    return (match[1].decode(), match[2].decode()) if match else None


def is_compiled(head: bytes) -> bool:
    """Return whether a file is a linked ELF program or library, or a static library."""
    if head.startswith(b"\x7fELF"):
        return head[_ELF_TYPE_OFFSET : _ELF_TYPE_OFFSET + 2] not in _ELF_RELOCATABLE
    return head.startswith((b"!<arch>\n", b"!<thin>\n"))
