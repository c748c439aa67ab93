"""Make one age payload that authenticates under two file keys and means something under each.

ChaCha20-Poly1305 does not commit to its key: the tag is a polynomial in the ciphertext's blocks.
With both keys known, one free block is solved for, such that both tags are the same. Beginning and
end of the ciphertext are chosen under the first key, what lies between under the second.
"""

import io
import random
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from escrow.testing.verification import tar_of
from escrow.vault.age import FileKey

BLOCK = 16
P = 2**130 - 5
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
# The only chunk, and the last: number 0, final.
CHUNK_NONCE = bytes(11) + b"\x01"


@dataclass(frozen=True)
class TwoMeanings:
    """A payload of one chunk, its two keys, and what it opens to under each, garbage included."""

    payload: bytes
    keys: tuple[FileKey, FileKey]
    plains: tuple[bytes, bytes]


class _Side:
    """One key's view of the chunk: its keystream, and its half of the tag."""

    def __init__(self, key: FileKey, nonce: bytes, size: int) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=nonce, info=b"payload")
        cipher = algorithms.ChaCha20(derive.derive(key.raw), bytes(4) + CHUNK_NONCE)
        stream = Cipher(cipher, mode=None).encryptor().update(bytes(64 + size))
        self.r = int.from_bytes(stream[:16], "little") & CLAMP
        self.s = int.from_bytes(stream[16:32], "little")
        self.stream = stream[64:]

    def apply(self, data: bytes, at: int = 0) -> bytes:
        return bytes(a ^ b for a, b in zip(data, self.stream[at:], strict=False))

    def hash(self, blocks: list[int]) -> int:
        value = 0
        for block in blocks:
            value = (value + block) * self.r % P
        return value

    def tag(self, blocks: list[int]) -> bytes:
        return ((self.hash(blocks) + self.s) % 2**128).to_bytes(16, "little")


def make_two_meanings(
    project: Mapping[str, bytes], other: tuple[str, bytes], seed: int = 9
) -> TwoMeanings:
    """Return a payload that is a tar under one key, and a ZIP archive under the other.

    Args:
        project: the files of the tar; one more holds what is noise under the first key.
        other: name and content of the archive's one file.
    """
    chance = random.Random(seed)
    keys = FileKey(chance.randbytes(16)), FileKey(chance.randbytes(16))
    nonce = chance.randbytes(16)
    archive = _zip_of(*other, bytes_after=0)
    hole = bytes(2 * BLOCK + len(archive) + -len(archive) % BLOCK)
    tar = tar_of({**project, "table.bin": b"\1" * len(hole)})
    at = tar.index(b"\1" * len(hole))
    first, last = tar[:at], tar[at + len(hole) :]
    archive = _zip_of(*other, bytes_after=len(last))
    sides = [_Side(key, nonce, len(tar)) for key in keys]
    archive_at = at + len(hole) - len(archive)
    chunk = bytearray(sides[0].apply(first) + hole + sides[0].apply(last, at + len(hole)))
    chunk[archive_at : at + len(hole)] = sides[1].apply(archive, archive_at)
    # The hole begins with two free blocks: one is solved for, one is drawn until that works.
    solved = None
    while solved is None:
        chunk[at + BLOCK : at + 2 * BLOCK] = chance.randbytes(BLOCK)
        solved = _solve(sides, bytes(chunk), at)
    chunk[at : at + BLOCK] = solved
    tag = sides[0].tag(_blocks(bytes(chunk)))
    plains = tuple(side.apply(bytes(chunk)) for side in sides)
    return TwoMeanings(nonce + bytes(chunk) + tag, keys, plains)


def _blocks(chunk: bytes) -> list[int]:
    """Return the numbers that the tag is a polynomial of (RFC 8439, section 2.8)."""
    lengths = bytes(8) + len(chunk).to_bytes(8, "little")
    data = chunk + lengths
    pieces = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    return [int.from_bytes(one, "little") + 2**128 for one in pieces]


def _solve(sides: list[_Side], chunk: bytes, free: int) -> bytes | None:
    """Return the block at ``free`` with which both tags agree; None: draw the other block anew."""
    blocks = _blocks(chunk)
    place = free // BLOCK
    blocks[place] = 0
    hashes = [side.hash(blocks) for side in sides]
    powers = [pow(side.r, len(blocks) - place, P) for side in sides]
    slope = pow(powers[0] - powers[1], -1, P)
    # The tags are taken modulo 2^128, the polynomials modulo P: a few carries are possible.
    for carry in range(-4, 5):
        wanted = hashes[1] - hashes[0] + sides[1].s - sides[0].s + carry * 2**128
        block = wanted * slope % P
        if not 2**128 <= block < 2**129:
            continue
        blocks[place] = block
        if sides[0].tag(blocks) == sides[1].tag(blocks):
            return (block - 2**128).to_bytes(BLOCK, "little")
    return None


def _zip_of(name: str, content: bytes, *, bytes_after: int) -> bytes:
    """Return a ZIP archive that takes so many bytes after its end for its comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
        archive.comment = bytes(bytes_after)
    return buffer.getvalue()[: len(buffer.getvalue()) - bytes_after]


def names_in_tar(content: bytes) -> list[str]:
    """Return what a tar holds."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


def names_in_zip(content: bytes) -> list[str]:
    """Return what a ZIP archive holds; whatever stands before it is not looked at."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()
