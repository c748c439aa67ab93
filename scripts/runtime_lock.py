"""Print the part of requirements.lock that the service needs to run: no tool, no test library."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"

# A package begins at the margin; its hashes are indented below it.
_ENTRY = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)


def needed(name: str, extras: frozenset[str], found: set[tuple[str, frozenset[str]]]) -> None:
    """Add a package and all that it requires, as installed here, to those that were found."""
    key = (canonicalize_name(name), extras)
    if key in found:
        return
    found.add(key)
    for line in importlib.metadata.requires(name) or []:
        one = Requirement(line)
        wanted = (one.marker is None or one.marker.evaluate({"extra": e}) for e in extras | {""})
        if any(wanted):
            needed(one.name, frozenset(one.extras), found)


def main() -> None:
    """Print the entries."""
    found: set[tuple[str, frozenset[str]]] = set()
    needed("escrow", frozenset(), found)
    names = {name for name, _ in found}
    for entry in _ENTRY.split(LOCK.read_text(encoding="utf-8")):
        name = re.match(r"[A-Za-z0-9._-]+", entry)
        if name and canonicalize_name(name[0]) in names:
            print(entry, end="")


if __name__ == "__main__":
    main()
