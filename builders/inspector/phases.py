"""What a phase runs: one shell program, the same in a trial build and in a rebuild."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def phase_script(commands: Sequence[str]) -> str:
    """Return the shell program of a phase: each command is shown, and the first failure ends it."""
    # One stream keeps the order of what was said; two pipes would mix it.
    lines = ["set -e", "exec 2>&1", 'mkdir -p "$OUT" "$BUILD" "$HOME"']
    for command in commands:
        lines += [f"printf '%s\\n' {shlex.quote('+ ' + command)}", command]
    return "\n".join(lines) + "\n"
