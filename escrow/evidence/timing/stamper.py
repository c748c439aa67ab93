"""The stamper: asks the timestamp authorities for the tokens that papers wait for; the worker's.

Guarantees: a token is kept only when it holds over the signature, by an authority of the trust
root. One authority's word is enough for a paper; while one is silent the next is asked. Order of
effects: read → ask, with no transaction open → keep and end the waiting, in one transaction. A
kill in between only loses a token that is asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from escrow.evidence.anchors import TimestampAuthority
from escrow.evidence.errors import TimestampUnavailable
from escrow.evidence.timestamps import HttpAuthority, VerifiedTime, verify_timestamp
from escrow.evidence.timing import records
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.digests import sha256_hex

# A round is this much at most, so that a worker that is told to stop soon does.
MAX_IN_ROUND = 50

# A silent authority is asked again after this, then after twice as long, up to an hour: public
# ones shut out whoever asks without end.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)

_log = logging.getLogger("escrow.timestamps")


@dataclass
class _Silence:
    """An authority that did not answer: how long it is left alone, and until when."""

    pause: timedelta
    until: datetime


@dataclass(frozen=True)
class Stamper:
    """Gets papers their timestamps.

    Args:
        database: opened for each step by itself.
        authorities: of the trust root, in the order in which they are asked; none: nothing waits.
        clock: tells when a silent authority is asked again.
        transport: of the HTTP clients; the network's own by default.
    """

    database: Database
    authorities: Sequence[TimestampAuthority]
    clock: Clock
    transport: httpx.BaseTransport | None = None
    _silent: dict[str, _Silence] = field(default_factory=dict)

    def stamp_waiting(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Get tokens for the papers that wait the longest; return how many came.

        Args:
            is_stopping: asked between two papers.
        """
        if not self.authorities:
            return 0
        with self.database.reading() as session:
            waiting = records.oldest_waiting(session, MAX_IN_ROUND)
        stamped = 0
        for imprint, signature in waiting:
            if is_stopping() or not self._stamp(imprint, signature):
                break
            stamped += 1
        return stamped

    def _stamp(self, imprint: str, signature: bytes) -> bool:
        """Get one token; False when no authority answers."""
        if sha256_hex(signature) != imprint:
            _log.critical("a signature that waits for its timestamp was changed: %s", imprint)
            with self.database.writing() as session:
                records.stop_waiting(session, imprint)
            return True
        found = self._ask(signature)
        if found is None:
            return False
        token, time = found
        with self.database.writing() as session:
            records.keep_token(session, imprint, time.authority, time.at, token)
        return True

    def _ask(self, signature: bytes) -> tuple[bytes, VerifiedTime] | None:
        for authority in self.authorities:
            silence = self._silent.get(authority.name)
            if silence is not None and self.clock.now() < silence.until:
                continue
            try:
                token = HttpAuthority(authority, self.transport).stamp(signature)
            except TimestampUnavailable as problem:
                self._note_silence(authority.name, problem)
                continue
            self._silent.pop(authority.name, None)
            return token, verify_timestamp(token, signature, (authority,))
        return None

    def _note_silence(self, name: str, problem: TimestampUnavailable) -> None:
        before = self._silent.get(name)
        pause = min(2 * before.pause, LONGEST_PAUSE) if before else FIRST_PAUSE
        self._silent[name] = _Silence(pause, self.clock.now() + pause)
        _log.warning("%s It is asked again in %d s.", problem.reason, pause.total_seconds())
