"""Run the order that comes on standard input and print its one document.

``python3 -P -m builders.inspector [ROOT]``, the root being ``/ws`` where none is named. Exit code 0
says that the document is whole; everything else is a fault of ours.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from builders.inspector.collecting import Collector
from builders.inspector.frames import BrokenInput, Frames
from builders.inspector.inspecting import Inspector

ROOT = "/ws"


def run(order: dict[str, Any], frames: Frames, root: bytes) -> dict[str, Any]:
    """Carry one order out and return its document.

    Raises:
        BrokenInput: the order is none of ours.
    """
    if order.get("mode") == "inspect":
        inspector = Inspector(root, int(order["room_bytes"]))
        inspector.take_parts(frames)
        return inspector.report()
    if order.get("mode") == "collect":
        return Collector(root).collect(order["out"], order["folders"], order["patterns"])
    raise BrokenInput("unknown mode")


def main() -> None:
    """Read the order, carry it out, print the document."""
    os.umask(0o022)
    root = (sys.argv[1] if len(sys.argv) > 1 else ROOT).encode()
    frames = Frames(sys.stdin.buffer)
    document = run(frames.next_json() or {}, frames, root)
    json.dump(document, sys.stdout, separators=(",", ":"), allow_nan=False)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
