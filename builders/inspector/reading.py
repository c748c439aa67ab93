"""Hash one content and probe it in the same pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builders.inspector.magic import HEAD_BYTES
from builders.inspector.notes import Notes
from builders.inspector.probes import Probe, ProbeBudget, probe_for
from builders.inspector.swhid import ContentDigest, Entry


class ContentReader:
    """Passes a content's bytes on, and knows its entry when they are through.

    ``size_bytes`` is the length as declared; None when nobody knows it, and then there is no
    SWHID.
    """

    def __init__(
        self, notes: Notes, budget: ProbeBudget, part: str, path: bytes, size_bytes: int | None
    ) -> None:
        self._notes, self._budget = notes, budget
        self._part, self._path = part, path
        self._size_bytes = size_bytes
        self._digest = ContentDigest(size_bytes)

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks on, having looked at each."""
        probe: Probe | None = None
        for index, chunk in enumerate(chunks):
            if index == 0:
                probe = self._probe(chunk)
            self._digest.update(chunk)
            if probe is not None:
                probe.feed(chunk)
            yield chunk
        if probe is not None and (seen := probe.finish()) is not None:
            kind, facts = seen
            self._notes.add(kind, self._part, self._path, **facts)

    def drain(self, chunks: Iterable[bytes]) -> None:
        """Read it all and keep nothing."""
        for _ in self.through(chunks):
            continue

    def entry(self, mode: str) -> Entry:
        """Return the entry of what went through."""
        return self._digest.entry(self._path, mode)

    def _probe(self, first: bytes) -> Probe | None:
        size = len(first) if self._size_bytes is None else self._size_bytes
        name = self._path.rpartition(b"/")[2]
        return probe_for(first[:HEAD_BYTES], size, name, self._budget)
