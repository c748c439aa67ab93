"""What ``rebuild.sh`` asks of the inspector's image; ``python3 -P -m builders.inspector.rebuild``.

``lines``, ``script C P``, ``compare C`` and ``results C FOLDER`` read the kit from standard input,
``lay-out`` a tar that begins with it; ``seccomp`` reads nothing. C and P are places of a component
and of a phase. Exit code 0: done, all identical; 10: something differs; 11: there is nothing to
compare; everything else: it could not be done.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from builders.inspector.comparing import SHOWN_MAX, collected, comparison, write_results
from builders.inspector.kits import Kit, KitUnreadable, shown_text
from builders.inspector.relaying import lay_out

DIFFERS, NOTHING, COULD_NOT = 10, 11, 12
_PROFILE = Path(__file__).parent.parent / "seccomp.json"


def main(arguments: list[str], root: bytes = b"/ws") -> int:
    """Do one of the things above and return the exit code."""
    os.umask(0o022)
    try:
        return _do(root, *arguments)
    except KitUnreadable as problem:
        print(f"the recovery kit cannot be used: {problem}", file=sys.stderr)
        return COULD_NOT


def _do(root: bytes, mode: str, *rest: str) -> int:
    if mode == "seccomp":
        print(_PROFILE.read_text(encoding="utf-8"), end="")
        return 0
    if mode == "lay-out":
        return _lay_out(root)
    kit = Kit(sys.stdin.buffer.read())
    if mode == "lines":
        print("\n".join(kit.lines()))
        return 0
    if mode == "script":
        sys.stdout.buffer.write(kit.script(int(rest[0]), int(rest[1])).encode())
        return 0
    if mode == "compare":
        return _compare(root, kit, int(rest[0]))
    found = collected(root, kit.components[int(rest[0])])
    write_results(root, found, rest[1], sys.stdout.buffer)
    return 0


def _lay_out(root: bytes) -> int:
    parts = lay_out(root, sys.stdin.buffer)
    for name in parts.missing:
        print(f"missing: the part {shown_text(name)} is not here", file=sys.stderr)
    for name in parts.altered:
        print(f"altered: the part {shown_text(name)} is not the one that was deposited")
    if parts.missing:
        return COULD_NOT
    return DIFFERS if parts.altered else 0


def _compare(root: bytes, kit: Kit, number: int) -> int:
    component = kit.components[number]
    rows = list(comparison(component, collected(root, component)))
    # What differs comes first: it must not be what is left out.
    rows.sort(key=lambda row: row[0] == "identical")
    for word, line in rows[:SHOWN_MAX]:
        print(f"{word:<10} {line}")
    if len(rows) > SHOWN_MAX:
        counted = Counter(word for word, _ in rows[SHOWN_MAX:])
        print("and " + ", ".join(f"{count} more {word}" for word, count in counted.items()))
    if not component["artifacts"]:
        return NOTHING
    return 0 if all(word == "identical" for word, _ in rows) else DIFFERS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
