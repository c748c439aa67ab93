"""``make demo``: from a product's registration to two verdicts, each step with its time.

``python -m demo --composed`` plays the same in containers, on what 'make composed' has prepared.
"""

from __future__ import annotations

import sys

from demo.composed import ComposedStage
from demo.play import play
from demo.stage import PlayFailed, stage


def main() -> int:
    """Play the main job once; 0 when every step ended as it should."""
    try:
        with stage(ComposedStage if "--composed" in sys.argv[1:] else None) as here:
            play(here)
    except PlayFailed as problem:
        print(f"\nThe play stopped: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
