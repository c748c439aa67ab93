"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from escrow import __version__
from escrow.operations.cli import (
    admin,
    agreement,
    check,
    confirm,
    continuity,
    deposit,
    endings,
    keys,
    ledger,
    product,
    recipient,
    release,
    request,
    running,
    sessions,
    settings,
    status,
)
from escrow.operations.cli.output import give

_HELP = """Software escrow whose every claim can be checked by programs that we did not write.

Where the service is: ESCROW_URL (default http://127.0.0.1:8420). Who you are: ESCROW_TOKEN, or
ESCROW_TOKEN_FILE. Every command takes --json. Exit codes: 0 it holds, 1 it does not, 2 could not
tell.

Example: escrow status acme/ledger
"""

# Plain help: drawing it in colours takes longer than all the rest of the start.
app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        give({"version": __version__}, f"escrow {__version__}")
        raise typer.Exit


@app.callback()
def escrow(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print it."),
    ] = False,
) -> None:
    """Take what stands before a command."""


admin.app.add_typer(continuity.app, name="continuity")
app.add_typer(admin.app, name="admin")
agreement.app.add_typer(recipient.app, name="recipient")
app.add_typer(agreement.app, name="agreement")
# The ceremony's own commands, and those of the sessions that follow it.
app.add_typer(sessions.app, name="ceremony")
app.add_typer(settings.app, name="config")
app.add_typer(deposit.app, name="deposit")
app.add_typer(endings.app, name="ending")
app.add_typer(keys.app, name="keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(product.app, name="product")
app.add_typer(release.app, name="release")
app.add_typer(request.app, name="request")
app.command("alive", hidden=True)(running.alive)
app.command("check")(check.check)
app.command("confirm")(confirm.confirm)
app.command("docs", hidden=True)(running.docs)
app.command("keyholder")(running.keyholder)
app.command("logs")(status.logs)
app.command("report")(status.report)
app.command("receipt")(status.receipt)
app.command("serve")(running.serve)
app.command("portal")(running.portal)
app.command("worker")(running.worker)
app.command("status")(status.status)
app.command("trust-root")(check.trust_root)


def _tell_of_json(group: typer.Typer) -> None:
    """Add to every command's help what is true of every command."""
    for command in group.registered_commands:
        command.epilog = "--json, anywhere on the line: print one JSON document."
    for below in group.registered_groups:
        if below.typer_instance is not None:
            _tell_of_json(below.typer_instance)


_tell_of_json(app)
