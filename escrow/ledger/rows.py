"""Rows of the ledger as values: what the tables hold, before anything of it is proven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

from escrow.ground.digests import Sha256Hex
from escrow.ledger.events import Stream, StreamKind


@dataclass(frozen=True)
class StreamHead:
    """The newest entry of a stream, or the one before the entry that is looked at."""

    sequence: int
    entry_sha256: Sha256Hex
    at: datetime


@dataclass(frozen=True)
class StoredEntry:
    """An entry row: columns and bytes as stored; that they agree is for a check to say."""

    number: int
    entry_sha256: Sha256Hex
    stream_kind: str
    stream_id: str
    stream_sequence: int
    type: str
    at: datetime
    entry: bytes

    @property
    def stream(self) -> Stream:
        """The stream that the columns name."""
        return Stream(cast("StreamKind", self.stream_kind), self.stream_id)

    @property
    def as_head(self) -> StreamHead:
        """This entry as the predecessor of the next."""
        return StreamHead(self.stream_sequence, self.entry_sha256, self.at)


@dataclass(frozen=True)
class StoredLeaf:
    """A leaf row."""

    leaf_index: int
    entry_number: int
    leaf: bytes


class TreeRow(NamedTuple):
    """A leaf row with the entry that it stands for; the entry may be gone."""

    leaf_index: int
    entry_number: int
    leaf: bytes
    entry_sha256: str | None
    entry: bytes | None
