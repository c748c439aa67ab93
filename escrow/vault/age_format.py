"""The text of an age v1 header: stanzas in, stanzas out (C2SP age.md, "Header").

Guarantees that a header which parses has exactly one text, so that its MAC covers all of it.
Knows no cryptography and no kind of recipient.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from escrow.vault.errors import HeaderMalformed

VERSION_LINE = b"age-encryption.org/v1\n"
MAC_BYTES = 32

# 30 post-quantum stanzas; a file that claims a longer header wants our memory, not our key.
MAX_HEADER_BYTES = 64 * 1024

_COLUMNS = 64
_MAC_LINE_BYTES = len(b"--- ") + 43 + 1


@dataclass(frozen=True)
class Stanza:
    """One wrapped file key: its kind, its arguments, and the body that only the identity opens."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes

    def render(self) -> bytes:
        """Return the stanza's lines; the body ends with a line shorter than 64 columns."""
        text = encode_base64(self.body)
        lines = [text[at : at + _COLUMNS] for at in range(0, len(text) + 1, _COLUMNS)]
        return "".join(
            [f"-> {' '.join((self.kind, *self.arguments))}\n", *(f"{line}\n" for line in lines)]
        ).encode()


@dataclass(frozen=True)
class UnverifiedHeader:
    """A header that is well-formed; whether its MAC holds is known only with the file key."""

    stanzas: tuple[Stanza, ...]
    mac_input: bytes
    mac: bytes


def encode_base64(data: bytes) -> str:
    """Return base64 without padding, as age writes it."""
    return base64.b64encode(data).decode().rstrip("=")


def decode_base64(text: str, size_bytes: int | None = None) -> bytes:
    """Return the bytes of unpadded canonical base64.

    Args:
        text: the text.
        size_bytes: how many bytes it must hold, when that is fixed.

    Raises:
        HeaderMalformed: padding, another alphabet, a non-canonical ending or another size.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise malformed("base64") from None
    if encode_base64(data) != text or size_bytes not in (None, len(data)):
        raise malformed("base64 length or ending")
    return data


def render_mac_input(stanzas: Iterable[Stanza]) -> bytes:
    """Return the header up to and including the three dashes: what the MAC is taken over."""
    return VERSION_LINE + b"".join(stanza.render() for stanza in stanzas) + b"---"


def render_mac_line(mac: bytes) -> bytes:
    """Return what follows the three dashes."""
    return b" " + encode_base64(mac).encode() + b"\n"


def split_header(data: bytes) -> tuple[bytes, bytes]:
    """Cut an age file into its header and its payload.

    Raises:
        HeaderMalformed: no version line, or no MAC line within the size that we read.
    """
    if not data.startswith(VERSION_LINE):
        raise malformed("version line")
    end = data.find(b"\n--- ", 0, MAX_HEADER_BYTES)
    if end < 0:
        raise malformed("MAC line")
    cut = end + 1 + _MAC_LINE_BYTES
    return data[:cut], data[cut:]


def parse_header(header: bytes) -> UnverifiedHeader:
    """Return the stanzas of exactly one whole header.

    Raises:
        HeaderMalformed: anything that age.md's grammar does not produce, or bytes after the end.
    """
    if len(header) > MAX_HEADER_BYTES or not header.startswith(VERSION_LINE):
        raise malformed("version line or size")
    if not header.endswith(b"\n") or not header.isascii():
        raise malformed("characters or end")
    lines = header.decode().split("\n")[1:-1]
    stanzas: list[Stanza] = []
    at = 0
    while at < len(lines) and not lines[at].startswith("---"):
        stanza, at = _parse_stanza(lines, at)
        stanzas.append(stanza)
    if at != len(lines) - 1 or not stanzas or not lines[at].startswith("--- "):
        raise malformed("MAC line or stanzas")
    mac = decode_base64(lines[at][4:], MAC_BYTES)
    return UnverifiedHeader(tuple(stanzas), header[: -len(render_mac_line(mac))], mac)


def malformed(where: str) -> HeaderMalformed:
    """Return the error for a header that breaks the format at the named place."""
    return HeaderMalformed(
        f"An age header is malformed ({where}).",
        "Fetch the file again from where it was kept; a header that stays malformed was altered.",
    )


def _parse_stanza(lines: list[str], at: int) -> tuple[Stanza, int]:
    arrow, *arguments = lines[at].split(" ")
    if arrow != "->" or not arguments or not all(_is_argument(one) for one in arguments):
        raise malformed("stanza")
    at += 1
    body = ""
    while at < len(lines):
        line = lines[at]
        at += 1
        body += line
        if len(line) < _COLUMNS:
            return Stanza(arguments[0], tuple(arguments[1:]), decode_base64(body)), at
        if len(line) > _COLUMNS:
            break
    raise malformed("stanza body")


def _is_argument(text: str) -> bool:
    return bool(text) and all(33 <= ord(char) <= 126 for char in text)
