"""Read what the worker sends on standard input.

A frame is its length (4 bytes, big-endian) and its bytes; a frame of no bytes ends a series. First
comes one JSON frame, the order; then for each part a JSON frame (its header) and a series of data.
An empty frame in place of a header ends the input.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from builders.inspector.bounds import FRAME_BYTES_MAX

_LENGTH = struct.Struct(">I")


class BrokenInput(Exception):
    """Standard input is not what the worker sends: a fault of ours, not of the deposit."""


class Parts(Protocol):
    """Where parts come from: headers and series of data in turn, read once."""

    def next(self) -> bytes:
        """Return the next piece of a part, none at its end."""

    def next_json(self) -> dict[str, Any] | None:
        """Return the next header; None at the end."""


class Frames:
    """Standard input as frames."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def next(self) -> bytes:
        """Return the next frame.

        Raises:
            BrokenInput: the input breaks off, or a frame is too long.
        """
        head = self._stream.read(_LENGTH.size)
        if len(head) != _LENGTH.size:
            raise BrokenInput("standard input breaks off")
        (length,) = _LENGTH.unpack(head)
        if length > FRAME_BYTES_MAX:
            raise BrokenInput("a frame is too long")
        data = self._stream.read(length)
        if len(data) != length:
            raise BrokenInput("standard input breaks off")
        return data

    def next_json(self) -> dict[str, Any] | None:
        """Return the next frame as JSON; None at the end."""
        data = self.next()
        return json.loads(data) if data else None


class PartStream:
    """The bytes of one part as a file that is read once, from front to end."""

    def __init__(self, frames: Parts) -> None:
        self._frames = frames
        self._buffer = bytearray()
        self._ended = False
        self.taken_bytes = 0

    def _fill(self, size: int) -> None:
        while not self._ended and len(self._buffer) < size:
            frame = self._frames.next()
            self._ended = not frame
            self._buffer += frame

    def peek(self, size: int) -> bytes:
        """Return up to ``size`` bytes that are still to be read."""
        self._fill(size)
        return bytes(self._buffer[:size])

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        self._fill(size)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.taken_bytes += len(data)
        return data

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield what is left."""
        while data := self.read(size):
            yield data
