"""``make bench``: every measurement, one after another, the goals of the design beside them."""

from __future__ import annotations

import subprocess
import sys
import time

BENCHES = (
    "sealing",
    "push",
    "upload",
    "trial_build",
    "ledger",
    "release",
    "status",
    "scrub",
    "panel",
)


def main() -> int:
    """Run each measurement in a process of its own, so that none inherits another's memory."""
    failed = []
    for name in BENCHES:
        print(f"\n=== {name} ===", flush=True)
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False)
        print(f"({time.monotonic() - began:.0f} s)", flush=True)
        if done.returncode != 0:
            failed.append(name)
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
