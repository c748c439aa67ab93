"""Peak memory of the whole service while one 5 GB part is uploaded, against the idle service.

Goal (DESIGN section 8): at most 64 MiB above the idle process, whatever the size. Beside it the
time against ``openssl dgst -sha256`` of the same file, for orientation only.

Run: ``python -m bench.upload [--gigabytes 5]``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from demo.play import PRODUCT, set_up_parties
from demo.stage import Stage, stage

MIB = 1024 * 1024
GOAL_MIB = 64
SAMPLE_SECONDS = 0.05


def main(arguments: list[str] | None = None) -> int:
    """Measure once and print; the goal is printed beside it, not judged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=5.0)
    options = parser.parse_args(arguments)
    with stage() as here:
        one_time = here.ask(here.service_environment, "admin", "init")["one_time_token"]
        here.start()
        cast = set_up_parties(here, str(one_time))
        file = here.folder / "dump.bin"
        write_noise(file, int(options.gigabytes * 1e9))
        hashed = seconds_of("openssl", "dgst", "-sha256", str(file))
        idle = settled_rss(here)
        peak = Peak(here)
        with peak:
            began = time.monotonic()
            vendor = here.person(cast.tokens["vendor"])
            here.escrow(vendor, "deposit", "send", PRODUCT, "--data", str(file))
            took = time.monotonic() - began
    above = (peak.highest - idle) / MIB
    print(f"upload of {options.gigabytes:g} GB of noise, hashed, sealed, stored, receipted")
    print(f"  service idle             {idle / MIB:8.0f} MiB")
    print(f"  service at its peak      {peak.highest / MIB:8.0f} MiB")
    print(f"  above idle               {above:8.0f} MiB   goal <= {GOAL_MIB} MiB")
    print(f"  openssl dgst -sha256     {hashed:8.1f} s")
    print(f"  whole command            {took:8.1f} s     {took / hashed:.2f}x of openssl")
    return 0


class Peak:
    """The highest sum of resident memory of the service and its processes, while it is watched."""

    def __init__(self, here: Stage) -> None:
        self._here = here
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.highest = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.highest = max(self.highest, service_rss(self._here))


def service_rss(here: Stage) -> int:
    """Return the resident bytes of the service's process and the keyholder's."""
    parent = here.service_pid
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(folder.name) == parent or int(fields[1]) == parent:
                    total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
    return total


def settled_rss(here: Stage) -> int:
    """Return the memory of the idle service, after its self-test is over."""
    before = -1
    while (now := service_rss(here)) != before:
        before = now
        time.sleep(3)
    return now


def write_noise(path: Path, size: int) -> None:
    """Write incompressible bytes, a MiB of noise at a time, each different."""
    with path.open("wb") as file:
        while size > 0:
            file.write(os.urandom(min(MIB, size)))
            size -= MIB


def seconds_of(*command: str) -> float:
    """Return how long a command takes."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
