"""``escrow config``: what the settings are, and where each comes from."""

from __future__ import annotations

import typer

from escrow.operations.cli.output import give_table

app = typer.Typer(help="Explain the settings.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Explain the settings."""


@app.command("check")
def check() -> None:
    """Print each setting, its value, where it came from and what it does.

    Example: escrow config check
    """
    from escrow.operations.settings_source import settings

    rows = [
        {
            "setting": item.name,
            "value": item.value,
            "from": item.source,
            "meaning": item.explanation,
        }
        for item in settings().explain()
    ]
    give_table(rows, ("setting", "value", "from", "meaning"), "No settings.")
