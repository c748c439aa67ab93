"""The port of the queue: what a room needs to have work done later, without knowing the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from escrow.ground.database import Session


class JobQueue(Protocol):
    """Where work for later is put, in the caller's transaction."""

    def enqueue(
        self,
        session: Session,
        name: str,
        key: str,
        arguments: Mapping[str, str],
        *,
        delay_seconds: float = 0,
        partition: str | None = None,
    ) -> None:
        """Enqueue a job; the same key twice is one job."""
        ...
