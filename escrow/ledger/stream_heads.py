"""How far each agreement's stream reached when the keyholder last saw it, on its own disk.

A database writer who cuts the newest entries off a stream leaves no gap in it; this tells. A head
is written after the commit that it belongs to, so a crash in between leaves an older one, which a
longer stream still passes through.
"""

from __future__ import annotations

import os
from pathlib import Path

from escrow.ground.digests import Sha256Hex
from escrow.ledger.chains import ProvenChain
from escrow.ledger.errors import HeadBehind
from escrow.ledger.events import Stream
from escrow.ledger.rows import StreamHead


class StreamHeads:
    """One small file for each stream, replaced as a whole.

    Args:
        folder: the keyholder's alone; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder

    def remember(self, stream: Stream, head: StreamHead) -> None:
        """Note the newest sequenced entry of a stream; durable when this returns."""
        path = self._path(stream)
        fresh = path.with_name(path.name + ".new")
        with fresh.open("w", encoding="ascii") as file:
            file.write(f"{head.sequence} {head.entry_sha256}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def check_reaches(self, stream: Stream, chain: ProvenChain) -> None:
        """Return when a chain passes through the entry that was seen last.

        Raises:
            HeadBehind: it ends earlier, or another entry stands there.
        """
        seen = self._seen(stream)
        if seen is not None and chain.place_of(seen) is None:
            raise HeadBehind(
                f"{stream} lacks its entry {seen[:16]}, which this keyholder has seen.",
                "Nothing was opened; compare the database with the last backup.",
            )

    def _seen(self, stream: Stream) -> Sha256Hex | None:
        try:
            return Sha256Hex(self._path(stream).read_text(encoding="ascii").split()[1])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, IndexError) as problem:
            raise HeadBehind(
                f"What this keyholder remembers of {stream} cannot be read.",
                "Restore the keyholder's own folder from its backup.",
            ) from problem

    def _path(self, stream: Stream) -> Path:
        return self._folder / f"{stream.kind}-{stream.id}"
