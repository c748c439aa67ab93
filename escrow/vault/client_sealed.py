"""Take a part that its vendor sealed with stock ``age``: cut the header off, store the payload.

Guarantees: what is taken begins with one age v1 header that has exactly one stanza, of the kind of
an agreement's sealing key, and its payload has a length that whole sealed chunks give; memory does
not grow with the part; a taking that was killed goes on from scratch and staging. It holds no key
and cannot know whether header and payload open, nor to which key of the kind the header was made.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

from escrow.ground.digests import Sha256Hex
from escrow.vault.age_format import VERSION_LINE, parse_header, split_header
from escrow.vault.age_keys import HybridIdentity, parse_hybrid_stanza
from escrow.vault.age_stream import PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES
from escrow.vault.blobs import BlobStaging, BytesLike
from escrow.vault.errors import BlobStoreUnavailable, HeaderMalformed, NotClientSealed
from escrow.vault.redo import boot_id, lost
from escrow.vault.sealing import SealedPayload

# One post-quantum stanza makes a header of 1,627 bytes; what is longer than this has several.
MAX_CLIENT_HEADER_BYTES = 4 * 1024

_ARMOUR = b"-----BEGIN AGE"
_MAC_LINE = b"\n--- "
_MAC_LINE_BYTES = len(b"--- ") + 43 + 1
# Boot id, then what was received of the header; the rest lies in staging. One from before a start
# of the machine is not believed: staging's bytes were not synced (see ``redo``).
_HEADER_FILE = "client-header"
_READ_BYTES = 1024 * 1024

_AGAIN = (
    "Seal the file anew with 'age -r RECIPIENT -o FILE.age FILE', the recipient being the one that "
    "'escrow deposit sealing-key' prints, and send FILE.age."
)


class ClientSealedTaker:
    """Takes one age file into one staging; used by one thread at a time.

    Args:
        sink: a fresh staging for the payload; committed or discarded here.
        length: bytes of the whole file, header included, as announced.
        scratch: a folder for this taking alone.
    """

    def __init__(self, sink: BlobStaging, length: int, scratch: Path) -> None:
        self._sink, self._length, self._scratch = sink, length, scratch
        self._beginning = b""
        self._whole, self._sealed = hashlib.sha256(), hashlib.sha256()
        self._failure: Exception | None = None
        self.header = b""
        self.received_bytes = 0
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (scratch / _HEADER_FILE).exists():
            self._keep_beginning()

    @classmethod
    def resume(cls, sink: BlobStaging, length: int, scratch: Path) -> ClientSealedTaker:
        """Go on where the process ended; ``received_bytes`` tells from where.

        Raises:
            SealingLost: scratch is gone, or from before the machine was started.
            NotClientSealed: what was received is refused.
        """
        try:
            kept = (scratch / _HEADER_FILE).read_bytes()
        except FileNotFoundError:
            raise lost("its scratch is gone") from None
        boot = boot_id()
        if not kept.startswith(boot):
            raise lost("the machine was started anew")
        taker = cls(sink, length, scratch)
        taker._take_beginning(kept[len(boot) :])
        with sink.open_reading() as staged:
            # Bytes without the header that they follow belong to nothing.
            while taker.header and (piece := staged.read(_READ_BYTES)):
                taker._count(piece)
        return taker

    @property
    def is_refused(self) -> bool:
        """Whether it can never become a part."""
        return isinstance(self._failure, NotClientSealed)

    def write(self, data: BytesLike) -> None:
        """Take the bytes that follow.

        Raises:
            NotClientSealed: it is no file of the form that is taken.
            BlobStoreUnavailable: the store failed.
        """
        self._check()
        view = memoryview(data).cast("B")
        if not self.header:
            room = MAX_CLIENT_HEADER_BYTES - len(self._beginning)
            first, view = bytes(view[:room]), view[room:]
            try:
                rest = self._take_beginning(self._beginning + first)
                self._keep_beginning()
                self._append(memoryview(rest))
            except NotClientSealed as refusal:
                self._failure = refusal
                raise
        self._append(view)

    def write_from(self, source: BinaryIO) -> None:
        """Take everything that a binary file has.

        Raises:
            NotClientSealed, BlobStoreUnavailable: see :meth:`write`.
        """
        while piece := source.read(_READ_BYTES):
            self.write(piece)

    def checkpoint(self) -> None:
        """Return when everything taken so far can be gone on from.

        Raises:
            NotClientSealed, BlobStoreUnavailable: an earlier write was refused, or failed.
        """
        if not self.header and self.received_bytes == self._length:
            self._failure = _refused("It ends before its header does.")
        self._check()
        self._keep_beginning()

    def finish(self) -> SealedPayload:
        """Make the payload durable under its digest, and destroy scratch; after a checkpoint.

        ``sha256`` and ``size_bytes`` of the answer are of the whole file as it was received: the
        plaintext is known to nobody here.

        Raises:
            BlobStoreUnavailable: the store failed; a second call repeats it.
        """
        self._check()
        digest = Sha256Hex(self._sealed.hexdigest())
        taken = SealedPayload(
            sha256=Sha256Hex(self._whole.hexdigest()),
            size_bytes=self.received_bytes,
            # What age gives is the part itself, whatever the vendor made of it before.
            encoding="identity",
            payload_sha256=digest,
            payload_size_bytes=self._sink.size_bytes,
        )
        self._sink.commit(digest)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return taken

    def suspend(self) -> None:
        """Stop, leaving scratch and staging for :meth:`resume`."""
        self._sink.close()

    def discard(self) -> None:
        """Give up: destroy scratch, discard the staging. May be called in any state."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._sink.discard()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take_beginning(self, beginning: bytes) -> bytes:
        """Look at the first bytes; return those that lie behind the header, once it is whole."""
        self._beginning, self.received_bytes = beginning, len(beginning)
        cut = cut_client_header(beginning, self._length)
        if cut is None:
            return b""
        header, rest = cut
        self.header = self._beginning = header
        self.received_bytes = len(header)
        self._whole.update(header)
        return rest

    def _keep_beginning(self) -> None:
        if self._sink.size_bytes:
            return
        kept = self._scratch / _HEADER_FILE
        fresh = kept.with_suffix(".new")
        try:
            fresh.write_bytes(boot_id() + self._beginning)
            fresh.replace(kept)
        except OSError as problem:
            self._failure = BlobStoreUnavailable(
                f"Scratch cannot be written: {problem.strerror}.", "Try again in a moment."
            )
            raise self._failure from problem

    def _append(self, view: memoryview) -> None:
        if not view:
            return
        try:
            self._sink.append(view)
        except BlobStoreUnavailable as problem:
            # How much was taken is known only to who opens the staging anew.
            self._failure = problem
            raise
        self._count(view)

    def _count(self, piece: BytesLike) -> None:
        self._whole.update(piece)
        self._sealed.update(piece)
        self.received_bytes += len(piece)


def cut_client_header(beginning: bytes, length: int) -> tuple[bytes, bytes] | None:
    """Return the header that a file begins with, and what follows; None while it is not whole.

    Args:
        beginning: first bytes of the file, or all that came of it.
        length: bytes of the whole file.

    Raises:
        NotClientSealed: it is no file of the form that is taken.
    """
    check_beginning(beginning)
    end = beginning.find(_MAC_LINE, 0, MAX_CLIENT_HEADER_BYTES)
    if end < 0 or len(beginning) < end + 1 + _MAC_LINE_BYTES:
        if len(beginning) >= min(MAX_CLIENT_HEADER_BYTES, length):
            raise _refused("Its header has no end, or several recipients.")
        return None
    header, rest = split_header(beginning)
    check_client_header(header)
    check_payload_size(length - len(header))
    return header, rest


def check_beginning(beginning: bytes) -> None:
    """Return when some first bytes can be those of a binary age v1 file.

    Raises:
        NotClientSealed: they cannot; the sentence says what they are instead.
    """
    if beginning[: len(VERSION_LINE)] == VERSION_LINE[: len(beginning)]:
        return
    if beginning[: len(_ARMOUR)] == _ARMOUR[: len(beginning)]:
        raise _refused("It is in ASCII armour.", "Seal it without '-a'. ")
    if beginning.startswith(b"age-encryption.org/"):
        raise _refused("It is an age file of another version than 1.")
    raise _refused("It is no age file: it was not sealed, or by another program.")


def check_client_header(header: bytes) -> None:
    """Return when a whole header has exactly one stanza, of the kind of a sealing key.

    The MAC is not checked: that takes the file key. Nor is the recipient known: a stanza of this
    kind does not name it.

    Raises:
        NotClientSealed: anything else; the sentence says what.
    """
    try:
        stanzas = parse_header(header).stanzas
        kinds = [one.kind for one in stanzas]
        if kinds == ["scrypt"]:
            raise _refused("It is sealed under a passphrase.", "Seal it without '-p'. ")
        if len(stanzas) != 1:
            raise _refused("It is sealed to several recipients.", "Name one '-r' alone. ")
        if kinds != [HybridIdentity.kind]:
            raise _refused(
                f"It is sealed to a recipient of the kind {kinds[0][:40]!r}.",
                "The sealing key is post-quantum ('age1pq1…'; age 1.3 or later). ",
            )
        parse_hybrid_stanza(stanzas[0])
    except HeaderMalformed as problem:
        raise _refused(f"{problem.reason}") from problem


def check_payload_size(size_bytes: int) -> None:
    """Return when a payload of this many bytes can be whole: nonce, full chunks, a last one.

    A file that was cut off exactly between two chunks has such a length too.

    Raises:
        NotClientSealed: no whole payload has it.
    """
    chunks = size_bytes - PAYLOAD_NONCE_BYTES
    last = chunks % SEALED_CHUNK_BYTES
    # The last chunk seals at least one byte, but for an empty file's only one.
    is_whole = chunks == TAG_BYTES or (chunks > 0 and (last == 0 or last > TAG_BYTES))
    if not is_whole:
        raise _refused(
            "It is cut off: its length is none that an age file has.",
            "Compare its size with that of the file that age wrote. ",
        )


def _refused(why: str, how: str = "") -> NotClientSealed:
    return NotClientSealed(
        f"This is no client-sealed part as it is taken here. {why}", how + _AGAIN
    )
