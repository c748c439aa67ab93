"""Write ``docs/findings.md`` from the registry; run ``python -m builders.findings_page``."""

from __future__ import annotations

import sys
from pathlib import Path

from builders.findings_table import GROUPS, FindingType

PAGE = Path("docs/findings.md")

_HEAD = """# Findings

Generated from the tables `builders/findings_of_*.py` by `make docs`; do not edit.

A code never changes its meaning. `fail` makes the verdict FAIL; `warn` and `info` do not.
*Not tested* marks the reasons of a NOT TESTED verdict. Code and title may be shown to every party;
the sentence holds names of the deposit (in braces) and belongs to the vendor.
"""


def findings_page() -> str:
    """Return the whole page."""
    sections = [
        f"\n## {name}\n\n" + "\n".join(_entry(kind) for kind in kinds) for name, kinds in GROUPS
    ]
    return _HEAD + "".join(sections)


def _entry(kind: FindingType) -> str:
    weight = f"{kind.severity}, not tested" if kind.untested else kind.severity
    return (
        f"### `{kind.code}` ({weight})\n**{kind.title}.**\n\n"
        f"{kind.sentence}\n\n*Remedy:* {kind.remedy}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(findings_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
