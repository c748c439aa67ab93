"""The command ``escrow``: everything a person or a script does with the service.

Exit codes: 0 it holds or was done, 1 it does not hold or was refused, 2 could not tell (the line,
a file, the token or the service was not what it takes). Ctrl-C ends with 130, as shells have it.
Every command has ``--json`` for machines; people read the rest. What only one command needs is
loaded by that command, so that the others answer at once.
"""

from __future__ import annotations

import sys

from escrow.operations.cli.ending import let_go_of_output, open_what_is_closed, run

__all__ = ["main"]


def main() -> None:
    """Run the command line; every error ends in one sentence, a remedy and an exit code."""
    open_what_is_closed()
    sys.exit(let_go_of_output(run(sys.argv[1:])))
