"""The unit that travels through the stages of a sealing: 1 MiB of plaintext and its buffers."""

from __future__ import annotations

from queue import SimpleQueue

from escrow.vault.age_stream import ChunkCutter
from escrow.vault.framing import FRAME_BYTES, MAX_FRAME_BYTES
from escrow.vault.redo import RedoRecord

# The content of one frame, so that a segment is framed without its neighbours.
SEGMENT_BYTES = FRAME_BYTES

# A redo record and the pieces of its framed bytes, as the log takes them.
Redo = tuple[RedoRecord, list[bytes | memoryview]]


class Segment:
    """Up to 1 MiB of plaintext with the buffers for what becomes of it; used again and again."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(SEGMENT_BYTES))
        self.sealed = memoryview(bytearray(ChunkCutter.room_for(MAX_FRAME_BYTES)))
        self.framed: SimpleQueue[bytes] = SimpleQueue()
        self.redo: Redo | None = None
        self.size = 0
        self.sealed_size = 0
        self.end_offset = 0
        self.final = False

    @property
    def content(self) -> memoryview:
        """The plaintext that is in it."""
        return self.plain[: self.size]
