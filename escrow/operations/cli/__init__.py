"""The command ``escrow``: everything a person or a script does with the service.

Exit codes: 0 it holds or was done, 1 it does not hold or was refused, 2 could not tell.
Every command has ``--json`` for machines; people read the rest.
"""

from __future__ import annotations

import sys

from escrow.operations.cli.application import application
from escrow.operations.cli.output import report_error

__all__ = ["main"]


def main() -> None:
    """Run the command line; every error of ours ends in one sentence, a remedy and exit code."""
    from escrow.ground.errors import EscrowError

    try:
        application()
    except EscrowError as error:
        sys.exit(report_error(error))
    except KeyboardInterrupt:
        sys.exit(130)
