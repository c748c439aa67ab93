"""A timestamp authority whose answer never ends, one byte at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from escrow.evidence import timestamps
from escrow.evidence.errors import TimestampUnavailable
from escrow.evidence.timestamps import HttpAuthority
from escrow.testing.timestamps import TrialAuthority

DRIPS_SECONDS = 10.0


@pytest.fixture
def dripping() -> Iterator[str]:
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            until = time.monotonic() + DRIPS_SECONDS
            while time.monotonic() < until and not ended.wait(0.05):
                try:
                    self.wfile.write(b"\0")
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def test_an_authority_that_drips_holds_nobody_up(
    dripping: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes well within the time of one read; all of them would take days."""
    monkeypatch.setattr(timestamps, "ANSWER_SECONDS", 0.5)
    authority = replace(TrialAuthority(tmp_path / "tsa").authority, url=dripping)
    begun = time.monotonic()
    with pytest.raises(TimestampUnavailable):
        HttpAuthority(authority).stamp(b"a signature")
    assert time.monotonic() - begun < DRIPS_SECONDS / 2
