"""The status of one deposit, a million events in the ledger: ``python -m bench.status``.

Our route, with its token, its permission checks and its disclosure class, against one query by key
in bare Starlette and sqlite3; the same server (uvicorn), the same client, the same file, turn by
turn. The events are made in bulk and unsigned: the route must not look at them at all. Our answer
is kept while nothing is committed (``escrow/portal/standing_answers.py``); what it costs after a
commit stands beside it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from escrow.testing.releases import ReleaseWorld
from escrow.testing.serving import served

GOAL = 0.5
ROUNDS = 7
ROUND_SECONDS = 2.0
EVENTS = 1_000_000

# More than the server can do at once, and few enough that the client does not queue on itself.
CONNECTIONS = 8

_BULK = """
INSERT INTO ledger_entry (entry_sha256, stream_kind, stream_id, stream_sequence, type, at, entry)
WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < ?)
SELECT printf('%064d', n), 'product', printf('bulk_%d', n % 50), n / 50,
       'deposits:deposit:sealed', '2026-01-02 03:04:05.000000', zeroblob(600)
FROM counted
"""


def measure(folder: Path, events: int, rounds: int, seconds: float) -> list[tuple[str, str, str]]:
    """Return (what, measured, goal) for every figure."""
    world = ReleaseWorld(folder)
    try:
        deposit, token = world.settle(), ""
        token = world.tokens["vendor"]
    finally:
        world.close()
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute(_BULK, (events,))
    connection.close()
    own = {"Authorization": f"Bearer {token}"}
    path = f"/api/v1/deposits/{deposit}"
    with _serving("ours", folder) as ours, _serving("bare", folder) as bare:
        tag = _tag(ours.url + path, own)
        works = {
            "ours": (ours, ours.url + path, own),
            "ours, unchanged (304)": (ours, ours.url + path, own | {"If-None-Match": tag}),
            # With a query nothing is kept: what the first call after any commit costs.
            "ours, the whole way": (ours, f"{ours.url}{path}?whole", own),
            "bare": (bare, f"{bare.url}/deposits/{deposit}", {}),
        }
        asked: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, (server, url, headers) in works.items():
                asked[name].append(_ask_for(server, url, headers, seconds))
    return [_figure(name, asked[name], asked["bare"], events) for name in list(works)[:-1]]


class Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used: what other load on the machine spares."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _figure(
    name: str, ours: list[tuple[float, float]], bare: list[tuple[float, float]], events: int
) -> tuple[str, str, str]:
    pairs = list(zip(ours, bare, strict=True))
    rate = statistics.median(one[0] / other[0] for one, other in pairs)
    cost = statistics.median(other[1] / one[1] for one, other in pairs)
    mine, theirs = (statistics.median(one[0] for one in many) for many in (ours, bare))
    told = f"{rate:.2f}x ({mine:.0f} / {theirs:.0f} per s); by processor time {cost:.2f}x"
    goal = "" if "whole" in name else f">= {GOAL}x"
    return f"{name}, {events:,} events / bare Starlette", told, goal


def _tag(url: str, headers: dict[str, str]) -> str:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.netloc)
    connection.request("GET", at.path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the status route answered {answer.status}")
    return answer.headers.get("ETag", '""')


def _ask_for(
    server: Server, url: str, headers: dict[str, str], seconds: float
) -> tuple[float, float]:
    """Return requests per second, and the server's processor seconds for each."""
    counts = [0] * CONNECTIONS
    until, before = time.monotonic() + seconds, server.cpu_seconds()

    def ask(number: int) -> None:
        at = urlsplit(url)
        target = f"{at.path}?{at.query}" if at.query else at.path
        connection = http.client.HTTPConnection(at.netloc)
        while time.monotonic() < until:
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (200, 304):
                raise RuntimeError(f"answered {answer.status}")
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CONNECTIONS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    total = max(sum(counts), 1)
    return total / seconds, max(server.cpu_seconds() - before, 0.001) / total


@contextmanager
def _serving(kind: str, folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "bench.status", "--serve", kind, "--folder", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a process without its pipes")
        try:
            yield Server(process, process.stdout.readline().strip())
        finally:
            process.stdin.close()


def _bare(folder: Path) -> Starlette:
    connection = sqlite3.connect(folder / "ledger.db", check_same_thread=False)
    query = "SELECT id, number, state, via, sealed_at FROM deposit WHERE id = ?"

    async def show(request: Request) -> Response:
        row = connection.execute(query, (request.path_params["id"],)).fetchone()
        names = ("id", "number", "state", "via", "sealed_at")
        return JSONResponse(dict(zip(names, row, strict=True)))

    return Starlette(routes=[Route("/deposits/{id}", show)])


def _serve(kind: str, folder: Path) -> None:
    """Serve until the one who measures closes our standard input."""
    if kind == "bare":
        with served(_bare(folder)) as url:
            print(url, flush=True)
            sys.stdin.read()
        return
    world = ReleaseWorld(folder)
    print(str(world.client.base_url).removesuffix("/api/v1/"), flush=True)
    sys.stdin.read()
    world.close()


def main(arguments: list[str] | None = None) -> None:
    """Print every figure with its goal, and how busy the machine was."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=ROUND_SECONDS)
    parser.add_argument("--serve", choices=("ours", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        _serve(chosen.serve, chosen.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), chosen.events, chosen.rounds, chosen.seconds)
    for what, measured, goal in figures:
        print(f"{what:<52} {measured:<62} {goal}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
