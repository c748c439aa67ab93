"""Measure programs in pairs: each round runs all of them, one after the other, on one input."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What was measured, the figure, the goal.
Figure = tuple[str, str, str]
Job = Callable[[], object]


@dataclass(frozen=True)
class Took:
    """What one run of one job took: time on the wall, and of all processors together."""

    seconds: float
    cpu_seconds: float


Times = dict[str, list[Took]]


def alternate(
    rounds: int,
    jobs: Mapping[str, Job],
    afterwards: Job = lambda: None,
    *,
    before: Mapping[str, Job] | None = None,
    warming: int = 1,
) -> Times:
    """Return what each job took, by round.

    Args:
        rounds: that count.
        jobs: by name.
        afterwards: tidies up after each job, unmeasured.
        before: by a job's name what it needs made first, unmeasured.
        warming: rounds before those that count, for the caches.
    """
    times: Times = {name: [] for name in jobs}
    for number in range(rounds + warming):
        for name, job in jobs.items():
            (before or {}).get(name, lambda: None)()
            took = _measure(job)
            if number >= warming:
                times[name].append(took)
            afterwards()
    return times


def _measure(job: Job) -> Took:
    began, busy = time.perf_counter(), _cpu_seconds()
    job()
    return Took(time.perf_counter() - began, _cpu_seconds() - busy)


def _cpu_seconds() -> float:
    """Return what this process used, all threads, with every child that has ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def ratio(what: str, times: Times, ours: str, peer: str, goal: float | None = None) -> Figure:
    """Return the median of the rounds' own ratios of wall time, with what stands behind it."""
    pairs = list(zip(times[ours], times[peer], strict=True))
    wall = statistics.median(one.seconds / other.seconds for one, other in pairs)
    cpu = statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in pairs)
    seconds = [statistics.median(one.seconds for one in times[name]) for name in (ours, peer)]
    busy = [statistics.median(one.cpu_seconds for one in times[name]) for name in (ours, peer)]
    told = (
        f"{wall:.2f}x  ({seconds[0]:.2f} s / {seconds[1]:.2f} s;"
        f" processors {busy[0]:.2f} s / {busy[1]:.2f} s = {cpu:.2f}x)"
    )
    return what, told, f"<= {goal:.2f}x" if goal else "-"


def run(*command: object, **environment: str) -> None:
    """Run a program that must succeed; what it says is thrown away."""
    words = [str(one) for one in command]
    own = os.environ | environment
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=own)


def pipe(first: Sequence[object], *others: Sequence[object], out: Path) -> None:
    """Run programs in a row, the last one's output into a file."""
    running = [subprocess.Popen([str(one) for one in first], stdout=subprocess.PIPE)]
    with out.open("wb") as file:
        for place, command in enumerate(others, start=1):
            target = file if place == len(others) else subprocess.PIPE
            words = [str(one) for one in command]
            before = running[-1]
            running.append(subprocess.Popen(words, stdin=before.stdout, stdout=target))
            if before.stdout is not None:
                before.stdout.close()
        # All are waited for, also to have their processor time counted.
        codes = [one.wait() for one in running]
        if any(codes):
            raise SystemExit("a program of the comparison failed")
