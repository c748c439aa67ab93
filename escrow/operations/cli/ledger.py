"""``escrow ledger``: the whole log, checked on the machine that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from escrow.ground.errors import Unavailable
from escrow.operations.cli.output import complain, give

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

    with _there():
        summary = verify_ledger(settings())
    give(summary, f"The ledger holds: {summary['entries']} entries, root {summary['root']}.")


@app.command("fsck")
def fsck() -> None:
    """Recompute the whole ledger, and compare every state in the database with its events.

    A row that no event made, an event whose row is gone, and a row that says otherwise are each
    named. Exit code 0: all fits; 1: something does not; 2: could not tell.

    Example: escrow ledger fsck
    """
    from escrow.operations.comparers import COMPARERS
    from escrow.operations.installation import check_states
    from escrow.operations.settings_source import settings

    with _there():
        figures, found = check_states(
            settings(), COMPARERS, lambda what: complain(f"Looking at {what} …")
        )
    for one in found:
        complain(one.reason)
    if found:
        # The first is the command's own error; the others stand above it.
        raise found[0]
    document = {**figures, "tables": [one.what for one in COMPARERS]}
    give(document, f"All fits: {figures['entries']} entries, root {figures['root']}.")


@contextmanager
def _there() -> Iterator[None]:
    from escrow.operations.settings_source import settings

    try:
        yield
    except FileNotFoundError as problem:
        raise NoInstallation(
            f"No installation stands at {settings().home}.",
            "Run this on the machine that keeps the ledger, with its settings.",
        ) from problem
