"""From the last confirmation to the first byte of the package: ``python -m bench.release``.

Through the real service: ``escrow serve`` with its keyholder in a process of its own, over HTTP.
Each size is a release of its own. What is timed begins when the portal takes the last agent's act,
by the ledger's own time, and ends with the first byte of the age file in the hands of a beneficiary
who asks in turns. Beside it, how fast a file comes, against the same served plain by Starlette.

The release burns the key and seals every header anew, so the number of deposits counts, not bytes.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from bench.upload import write_noise
from demo.cast import PRODUCT, Cast, key
from demo.play import set_up_parties
from demo.release import confirm, file_request
from demo.stage import PlayFailed, Stage, stage
from escrow.testing.serving import served

MIB = 1024 * 1024
SIZES_MIB = (1, 256, 2048)
GOAL_SECONDS = 1.0
ROUNDS = 5

# Often enough not to blur the figure, seldom enough to leave the service its processor.
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Release once for each size and print; the goal is printed beside it, not judged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mebibytes", type=int, nargs="+", default=list(SIZES_MIB))
    sizes: Sequence[int] = parser.parse_args(arguments).mebibytes
    for size in sizes:
        with stage() as here:
            one_time = here.ask(here.service_environment, "admin", "init")["one_time_token"]
            here.start()
            _measure(here, set_up_parties(here, str(one_time)), size)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


def _measure(here: Stage, cast: Cast, size_mib: int) -> None:
    dump = here.folder / "dump.bin"
    write_noise(dump, size_mib * MIB)
    vendor = here.person(cast.tokens["vendor"])
    here.escrow(vendor, "deposit", "send", PRODUCT, "--docs", str(dump))
    request = file_request(here, cast)
    here.escrow(vendor, "request", "consent", request, "--key", key(here, "vendor"))
    confirm(here, cast, request, "agent_1")
    with ThreadPoolExecutor(1) as beneficiary:
        waiting = beneficiary.submit(_first_byte, here, cast, request)
        confirm(here, cast, request, "agent_3")
        file, came_at = waiting.result()
    waited = came_at - _confirmed_at(here)
    rate, plain = _rate(here.url + file, _bearer(cast)), _plain_rate(dump)
    print(f"{size_mib:>6} MiB: first byte {waited:.2f} s after the last confirmation", end="")
    print(f"   goal <= {GOAL_SECONDS:.0f} s, whatever the size")
    print(f"            then {rate:.0f} MiB/s; a plain file {plain:.0f} MiB/s", flush=True)


def _first_byte(here: Stage, cast: Cast, request: str) -> tuple[str, float]:
    """Return the address of the largest file, and the moment at which its first byte came.

    The beneficiary asks as his client would if he sat waiting; what the asking in turns adds to
    the figure is the service's to bear.
    """
    base = f"/api/v1/requests/{request}"
    until = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(base_url=here.url, headers=_bearer(cast), trust_env=False) as client:
        while (answer := client.get(f"{base}/release")).status_code != 200:
            if time.monotonic() > until:
                raise PlayFailed(f"nothing was released: {answer.text}")
            time.sleep(PAUSE_SECONDS)
        files = [one for deposit in answer.json()["deposits"] for one in deposit["files"]]
        largest = max(files, key=lambda one: int(one["age_size_bytes"]))
        path = f"{base}/files/{largest['id']}"
        with client.stream("GET", path) as streamed:
            next(streamed.iter_raw(1))
            return path, time.time()


def _confirmed_at(here: Stage) -> float:
    """Return when the portal took the last confirmation, as the ledger has it (to the ms)."""
    query = "SELECT max(at) FROM ledger_entry WHERE type = 'releases:confirmation:given'"
    with closing(sqlite3.connect(here.folder / "home" / "database" / "escrow.db")) as connection:
        text = connection.execute(query).fetchone()[0]
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _bearer(cast: Cast) -> dict[str, str]:
    return {"Authorization": f"Bearer {cast.tokens['beneficiary']}"}


def _plain_rate(file: Path) -> float:
    app = Starlette(routes=[Route("/file", lambda _: FileResponse(file))])
    with served(app) as url:
        return _rate(url + "/file", {})


def _rate(url: str, headers: dict[str, str]) -> float:
    """Return how fast a file comes, in MiB per second; the median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        began, total = time.monotonic(), 0
        with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=60) as answer:
            answer.raise_for_status()
            for piece in answer.iter_raw():
                total += len(piece)
        rates.append(total / MIB / (time.monotonic() - began))
    return statistics.median(rates)


if __name__ == "__main__":
    sys.exit(main())
