"""``escrow ledger``: the whole log, checked on the machine that keeps it."""

from __future__ import annotations

import typer

from escrow.ground.errors import Unavailable
from escrow.operations.cli.output import give

app = typer.Typer(help="Check the ledger.", no_args_is_help=True)


class NoInstallation(Unavailable):
    """There is no ledger on this machine, so nothing can be told."""

    code = "cli.no-installation"


@app.callback()
def group() -> None:
    """Check the ledger."""


@app.command("verify")
def verify() -> None:
    """Recompute the whole ledger: every entry, stream, signature, leaf, and the tree's root.

    Exit code 0: it holds; 1: it does not (the entry is named); 2: could not tell.

    Example: escrow ledger verify
    """
    from escrow.operations.installation import verify_ledger
    from escrow.operations.settings_source import settings

    try:
        summary = verify_ledger(settings())
    except FileNotFoundError as problem:
        raise NoInstallation(
            f"No installation stands at {settings().home}.",
            "Run this on the machine that keeps the ledger, with its settings.",
        ) from problem
    give(summary, f"The ledger holds: {summary['entries']} entries, root {summary['root']}.")
