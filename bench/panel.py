"""A panel drilled and re-shared by one action of each agent: ``python -m bench.panel``.

Through the real application over HTTP, with the keyholder's own code; what each agent's client
does is counted too. Time is the machine's: what people take to read and sign is theirs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from escrow.testing.panels import PanelWorld

AGREEMENTS = 5_000
AGENTS = ("agent_1", "agent_2", "agent_3")
GOAL_SECONDS = 600.0


@dataclass(frozen=True)
class Seconds:
    """How long something took.

    Args:
        wall: by the clock on the wall; a machine that others use makes it longer.
        processor: of this process, which is everybody in it.
    """

    wall: float
    processor: float


def measure(
    agreements: int, folder: Path, tell: Callable[[str], None] = print
) -> dict[str, Seconds]:
    """Return what a drill, a re-sharing and its canaries took, of so many agreements."""
    world = PanelWorld(folder)
    try:
        world.set_up()
        world.agreement = world.bring_into_force()
        began = time.monotonic()
        world.add_agreements(agreements - 1)
        tell(f"{agreements} agreements stand ({time.monotonic() - began:.0f} s, not counted)")
        return {
            "drill": _seconds(lambda: _drill(world, agreements)),
            "reshare": _seconds(lambda: _reshare(world, agreements)),
            "canaries": _seconds(lambda: _open_canaries(world, agreements)),
        }
    finally:
        world.close()


def _drill(world: PanelWorld, agreements: int) -> None:
    drill = world.begin_session("drill", panel=True)
    for agent in AGENTS:
        shown = world.answer(drill, agent)
    if (shown["state"], shown["agreements"]) != ("ended", agreements):
        raise RuntimeError(f"the drill is not done: {shown}")


def _reshare(world: PanelWorld, agreements: int) -> None:
    held = world.begin_session("reshare", panel=True)
    for agent in AGENTS[: world.cast.agreement.sealing.k]:
        shown = world.answer(held, agent)
    if (shown["state"], shown["done"]) != ("ended", agreements):
        raise RuntimeError(f"the re-sharing is not done: {shown}")


def _open_canaries(world: PanelWorld, agreements: int) -> None:
    # One agent sends his share of each, another opens them: what two commands of theirs send.
    listed = world.do("GET", f"/agreements/{world.agreement}/panel", AGENTS[0])["items"]
    for agreement in listed:
        world.open_canary(agreement)
    waiting = [one for one in listed if world.custody(one)["canary_waits"]]
    if waiting or len(listed) != agreements:
        raise RuntimeError(f"{len(waiting)} canaries wait, of {len(listed)} agreements")


def _seconds(work: Callable[[], None]) -> Seconds:
    began, ran = time.monotonic(), time.process_time()
    work()
    return Seconds(time.monotonic() - began, time.process_time() - ran)


def main() -> int:
    """Measure, and print the goal beside the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=AGREEMENTS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(wanted.agreements, Path(folder))
    goal = f"goal <= {GOAL_SECONDS:.0f} s"
    for name, seconds in figures.items():
        taken = f"{seconds.wall:7.1f} s (processor {seconds.processor:.1f} s)"
        print(f"{name:8} {wanted.agreements} agreements: {taken}   {goal}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if max(one.wall for one in figures.values()) <= GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
