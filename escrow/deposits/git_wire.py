"""The bytes of a push, both ways, as pure readers and writers (no process, no socket).

Sources: gitprotocol-pack(5), gitprotocol-http(5), gitprotocol-common(5). What a client sends is
never handed to git as it came: it is parsed here and written anew from the parsed values, so
git sees only commands and capabilities that this module knows.

A push is answered on two bands: band 2 carries lines that the client prints as ``remote: …``,
band 1 the report that says which refs were taken. Only the report makes the client believe that
its push arrived, so it is what the intake withholds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from escrow.deposits.errors import PushMalformed, PushTooOld

FLUSH = b"0000"
ZERO_ID = "0" * 40

# The largest packet of the protocol, and what is left of it for data behind length and band.
MAX_PACKET_BYTES = 65520
MAX_BAND_BYTES = MAX_PACKET_BYTES - 5

# Ten thousand refs of 200 bytes with two ids each, and room to spare.
MAX_COMMAND_BYTES = 4 * 1024 * 1024

# A report has one short line for each ref.
MAX_REPORT_BYTES = 8 * 1024 * 1024

# Git sends an empty packet of band 1 as a sign of life; clients ignore it.
SIGN_OF_LIFE = b"0005\1"

BAND_REPORT, BAND_REMOTE, BAND_FATAL = 1, 2, 3

# What our end of a push can do. No delete-refs: clients refuse to delete before they connect.
# No report-status-v2: it only adds what a rewriting hook would say. No push-options, no push-cert.
_OFFERED = "report-status side-band-64k quiet atomic ofs-delta object-format=sha1"
_REQUIRED = frozenset({"report-status", "side-band-64k"})

_HEX_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0]+?)\n?")
_SHALLOW = re.compile(rb"shallow ([0-9a-f]{40})\n?")


@dataclass(frozen=True)
class RefUpdate:
    """One ref that the client wants moved from one object to another."""

    old: str
    new: str
    ref: str

    @property
    def is_delete(self) -> bool:
        """Whether the ref is to vanish."""
        return self.new == ZERO_ID

    @property
    def is_create(self) -> bool:
        """Whether the client believes that the ref is new."""
        return self.old == ZERO_ID


@dataclass(frozen=True)
class PushCommands:
    """The head of a push: what the client wants, before any object.

    Attributes:
        updates: in the order in which they came; empty for git's probe.
        capabilities: what the client asked for.
        shallow: the commits at which the client's history is cut off.
    """

    updates: tuple[RefUpdate, ...] = ()
    capabilities: frozenset[str] = frozenset()
    shallow: tuple[str, ...] = ()

    @property
    def is_probe(self) -> bool:
        """Whether this is the empty request by which git finds out whether it may push."""
        return not self.updates and not self.shallow

    def encode(self) -> bytes:
        """Return the command list as git is given it: known capabilities only."""
        wanted = ["report-status", "side-band-64k", "object-format=sha1"]
        wanted += [name for name in ("quiet", "atomic") if name in self.capabilities]
        tail = b"\0" + " ".join(wanted).encode()
        packets = []
        for update in self.updates:
            line = f"{update.old} {update.new} {update.ref}".encode("utf-8", "surrogateescape")
            packets.append(packet(line + tail))
            tail = b""
        return b"".join(packets) + FLUSH

    def check_answerable(self) -> None:
        """Refuse a client that could not be told whether its push was taken.

        Raises:
            PushTooOld: it cannot read a report or remote lines.
        """
        if not self.capabilities >= _REQUIRED:
            raise PushTooOld(
                "This git client cannot read a report on its push, so none can be acknowledged.",
                "Push with git 1.7.10 or later, or deposit with "
                "'escrow deposit send VENDOR/PRODUCT --source .'.",
            )


@dataclass(frozen=True)
class PushReport:
    """What became of each ref: None when it was taken, else the reason why not."""

    unpack: str
    refs: Mapping[str, str | None]

    @property
    def is_accepted(self) -> bool:
        """Whether every ref was taken."""
        return self.unpack == "ok" and all(reason is None for reason in self.refs.values())

    def encode(self) -> bytes:
        """Return the report as the end of an answer: band 1, then the closing flush."""
        lines = [packet(f"unpack {self.unpack}\n".encode())]
        for ref, reason in self.refs.items():
            text = f"ok {ref}\n" if reason is None else f"ng {ref} {_one_line(reason)}\n"
            lines.append(packet(text.encode("utf-8", "surrogateescape")))
        return band(BAND_REPORT, b"".join(lines) + FLUSH) + FLUSH

    @classmethod
    def refusing(cls, refs: Mapping[str, str]) -> PushReport:
        """Return the report that refuses every ref, each with its reason."""
        return cls("ok", dict(refs))

    @classmethod
    def parse(cls, payload: bytes) -> PushReport:
        """Return the report that git wrote.

        Raises:
            PushMalformed: it is cut short or none.
        """
        reader, unpack, refs = PacketReader(), "", dict[str, str | None]()
        for line in reader.feed(payload):
            if line is None:
                break
            word, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(" ")
            if word == "unpack":
                unpack = rest
            elif word == "ok":
                refs[rest] = None
            elif word == "ng":
                ref, _, reason = rest.partition(" ")
                refs[ref] = reason or "refused"
        if not unpack:
            raise PushMalformed("Git wrote no report on the push.", "Push again.")
        return cls(unpack, refs)


class PacketReader:
    """Cuts a stream into packets as its bytes come in; None stands for a flush."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Yield the packets that are complete; the reader stands behind each that it yielded.

        Raises:
            PushMalformed: a length that no packet can have.
        """
        self.rest += data
        while len(self.rest) >= 4:
            if not _HEX_LENGTH.match(self.rest):
                raise _malformed("A packet has no readable length.")
            length = int(self.rest[:4], 16)
            if length in (1, 2, 3) or length > MAX_PACKET_BYTES:
                raise _malformed("A packet has a length that none can have.")
            if length == 0:
                self.rest = self.rest[4:]
                yield None
            elif len(self.rest) < length:
                return
            else:
                line, self.rest = self.rest[4:length], self.rest[length:]
                yield line


class CommandReader:
    """Reads the head of a push, however its bytes are cut."""

    def __init__(self) -> None:
        self._packets = PacketReader()
        self._updates: list[RefUpdate] = []
        self._capabilities: frozenset[str] = frozenset()
        self._shallow: list[str] = []
        self._size_bytes = 0

    @property
    def rest(self) -> bytes:
        """What came behind the command list: the first bytes of the pack."""
        return self._packets.rest

    def feed(self, data: bytes) -> PushCommands | None:
        """Return the commands once their list is complete, None while more has to come.

        Raises:
            PushMalformed: not a command list, or an unreasonably long one.
        """
        self._size_bytes += len(data)
        for line in self._packets.feed(data):
            if line is None:
                return PushCommands(tuple(self._updates), self._capabilities, tuple(self._shallow))
            self._take(line)
        if self._size_bytes > MAX_COMMAND_BYTES:
            raise _malformed("The list of refs is too long.")
        return None

    def _take(self, line: bytes) -> None:
        shallow = _SHALLOW.fullmatch(line)
        if shallow:
            self._shallow.append(shallow[1].decode())
            return
        command, _, tail = line.partition(b"\0")
        if tail and not self._updates:
            self._capabilities = frozenset(tail.decode("utf-8", "replace").split())
        parsed = _COMMAND.fullmatch(command)
        if not parsed:
            raise _malformed("A line of the push is no ref update.")
        old, new, ref = parsed.groups()
        self._updates.append(
            RefUpdate(old.decode(), new.decode(), ref.decode("utf-8", "surrogateescape"))
        )


@dataclass
class AnswerReader:
    """Parts git's answer: remote lines go on at once, the report is kept back.

    Attributes:
        report: band 1 so far.
        fatal: what git said on band 3, as its last word.
    """

    report: bytes = b""
    fatal: str = ""
    _packets: PacketReader = field(default_factory=PacketReader)

    def feed(self, data: bytes) -> bytes:
        """Return the packets among the data that the client may see now.

        Raises:
            PushMalformed: git's answer is none, or its report has no end.
        """
        passed = []
        for line in self._packets.feed(data):
            if not line:
                continue
            number, payload = line[0], line[1:]
            if number == BAND_REMOTE:
                passed.append(band(BAND_REMOTE, payload))
            elif number == BAND_FATAL:
                self.fatal += payload.decode("utf-8", "replace")
            elif not payload:
                passed.append(SIGN_OF_LIFE)
            else:
                self.report += payload
        if len(self.report) > MAX_REPORT_BYTES:
            raise _malformed("Git's report has no end.")
        return b"".join(passed)


def packet(payload: bytes) -> bytes:
    """Return the payload behind its length."""
    return f"{len(payload) + 4:04x}".encode() + payload


def band(number: int, payload: bytes) -> bytes:
    """Return the payload as packets of one band."""
    return b"".join(
        packet(bytes([number]) + payload[at : at + MAX_BAND_BYTES])
        for at in range(0, len(payload), MAX_BAND_BYTES)
    )


def remote_lines(*lines: str) -> bytes:
    """Return lines that the client prints as ``remote: …``."""
    return band(BAND_REMOTE, "".join(f"{_one_line(line)}\n" for line in lines).encode())


def advertisement(agent: str) -> bytes:
    """Return the advertisement of an empty repository, as ``info/refs`` answers it.

    Args:
        agent: name and version of this end, without spaces.
    """
    line = f"{ZERO_ID} capabilities^{{}}\0{_OFFERED} agent={agent}\n".encode()
    return packet(b"# service=git-receive-pack\n") + FLUSH + packet(line) + FLUSH


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _malformed(reason: str) -> PushMalformed:
    return PushMalformed(reason, "Push with a stock git client.")
