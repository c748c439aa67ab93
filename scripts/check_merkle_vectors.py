"""Ask our Merkle arithmetic the public probes of transparency-dev/merkle: FOLDER is its testdata.

No package of a registry carries these files (neither release of the Go module, nor Debian's package
of the second, has them), so they are no part of the tests, where that project's verifier itself is
asked (tests/integration/ledger/test_merkle_judged.py). Run this with a checkout at hand::

    .venv/bin/python scripts/check_merkle_vectors.py merkle/testdata

Ends with 1 when a probe is answered otherwise than it says, the exclusions below apart.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from escrow.ledger.errors import ProofFails
from escrow.ledger.merkle import check_consistency, check_inclusion

# Each with its reason. Proofs of subtrees (draft of the IETF's plants group) we neither make nor
# take.
EXCLUDED = {
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json": (
        "its roots are twelve bytes of text; here a hash has 32 bytes, everywhere"
    )
}


def holds(kind: str, probe: dict[str, Any]) -> bool:
    """Return whether our arithmetic takes the proof."""
    path = [_bytes(one) for one in probe.get("proof") or []]
    try:
        if kind == "inclusion":
            leaf, root = _bytes(probe["leafHash"]), _bytes(probe["root"])
            check_inclusion(leaf, probe["leafIdx"], probe["treeSize"], path, root)
        else:
            old, new = _bytes(probe["root1"]), _bytes(probe["root2"])
            check_consistency(probe["size1"], old, probe["size2"], new, path)
    except ProofFails:
        return False
    return True


def main(folder: Path) -> int:
    """Print how many probes are answered as they say, and which are not."""
    asked = wrong = 0
    for kind in ("inclusion", "consistency"):
        for path in sorted((folder / kind).rglob("*.json")):
            name = str(path.relative_to(folder))
            probe = json.loads(path.read_text(encoding="utf-8"))
            asked += 1
            if holds(kind, probe) == probe["wantErr"]:
                print(f"otherwise: {name}: {EXCLUDED.get(name, 'NO REASON KNOWN')}")
                wrong += name not in EXCLUDED
    print(f"{asked} probes, {wrong} answered otherwise without a reason")
    return 1 if wrong or not asked else 0


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
