"""The streams of a running container: what it says, capped, and what it is told, unbounded.

The output connection is opened before the container starts: one opened after loses the output of
short runs. Standard input has a connection of its own, whose closing is the end of file; this
works over every transport, TLS included, where half of a connection cannot be closed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from docker import APIClient

OnOutput = Callable[[str, bytes], None]

# Header of one piece of multiplexed output: stream number, three zero bytes, length.
_FRAME_HEADER = struct.Struct(">BxxxL")
_STREAM_NAMES = {1: "stdout", 2: "stderr"}

# One read; pieces of the engine are at most this long.
_READ_BYTES = 65536

# How long a container that has ended may go unnoticed by whoever feeds it.
STDIN_PATIENCE_SECONDS = 0.2


class Attachment:
    """One connection to the streams of a container, created and not yet started."""

    def __init__(self, api: APIClient, container: str, *, stdin: bool = False) -> None:
        wanted = {"stdin": 1} if stdin else {"stdout": 1, "stderr": 1}
        self._held: Any = api.attach_socket(container, params={**wanted, "stream": 1})
        # Plain transports hand out a wrapper around the socket, TLS the socket itself.
        self._socket: socket.socket = getattr(self._held, "_sock", self._held)
        # A build may be silent for an hour: its own time limit ends it, not this connection. What
        # we send is another matter: see send().
        self._socket.settimeout(STDIN_PATIENCE_SECONDS if stdin else None)

    def frames(self) -> Iterator[tuple[str, bytes]]:
        """Yield (stream, bytes) until the container has ended or the connection is closed.

        A connection that breaks ends the output too: the engine's own record is compared later.
        """
        while header := self._exactly(_FRAME_HEADER.size):
            number, length = _FRAME_HEADER.unpack(header)
            while length:
                piece = self._receive(min(length, _READ_BYTES))
                if not piece:
                    return
                length -= len(piece)
                yield _STREAM_NAMES.get(number, "stderr"), piece

    def _exactly(self, size: int) -> bytes:
        collected = b""
        while len(collected) < size:
            piece = self._receive(size - len(collected))
            if not piece:
                return b""
            collected += piece
        return collected

    def _receive(self, size: int) -> bytes:
        try:
            return self._socket.recv(size)
        except OSError:
            return b""

    def send(self, chunks: Iterable[bytes], is_over: Callable[[], bool]) -> None:
        """Send chunks to standard input, as fast as they are taken, then end it.

        A container that ends without reading everything is no error: its result tells. The engine
        does not close the connection of one that has ended, so whether it is over is asked again
        and again while nothing is taken. Errors of ``chunks`` itself pass through.
        """
        for chunk in chunks:
            if not self._send_one(memoryview(chunk), is_over):
                break
        self.close()

    def _send_one(self, rest: memoryview, is_over: Callable[[], bool]) -> bool:
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                if is_over():
                    return False
            except OSError:
                return False
        return not is_over()

    def close(self) -> None:
        """Close the connection; whoever waits on it is woken."""
        with contextlib.suppress(OSError):  # the other side may have been faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._held.close()


class OutputReader(threading.Thread):
    """Reads a container's output while it runs, up to a limit, and passes it on as it comes.

    Standard output and standard error count together: a flood is a flood. ``failure`` holds what
    the receiver of the output raised.
    """

    def __init__(
        self,
        attachment: Attachment,
        limit_bytes: int,
        on_output: OnOutput | None,
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(name="container-output", daemon=True)
        self._attachment = attachment
        self._limit_bytes = limit_bytes
        self._on_output = on_output
        self._on_stop = on_stop
        self._kept = {"stdout": bytearray(), "stderr": bytearray()}
        self.flooded = False
        self.failure: Exception | None = None

    @property
    def kept_bytes(self) -> int:
        """How much was kept so far, both streams together."""
        return sum(len(kept) for kept in self._kept.values())

    def kept(self, stream: str) -> bytes:
        """What one stream said, up to the limit."""
        return bytes(self._kept[stream])

    def run(self) -> None:
        """Read until the end, the limit, or a receiver that fails."""
        try:
            for stream, piece in self._attachment.frames():
                if not self.take(stream, piece):
                    break
        except Exception as problem:  # the receiver's: handed to the caller, in his own thread
            self.failure = problem
        if self.flooded or self.failure is not None:
            # An open connection that nobody reads would hold the container's writes.
            self._attachment.close()
            self._on_stop()

    def take(self, stream: str, piece: bytes) -> bool:
        """Keep one piece and pass it on; return False when the limit is passed."""
        room = self._limit_bytes - self.kept_bytes
        self.flooded = len(piece) > room
        kept = piece[:room] if self.flooded else piece
        self._kept[stream] += kept
        if kept and self._on_output is not None:
            self._on_output(stream, kept)
        return not self.flooded

    def complete_from(self, stream: str, record: bytes) -> None:
        """Take what the engine's record holds beyond what was read, should anything be missing."""
        missing = record[len(self._kept[stream]) :]
        if missing and record.startswith(bytes(self._kept[stream])):
            self.take(stream, missing)
