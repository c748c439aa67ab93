"""``escrow config``: what the settings are, and where each comes from."""

from __future__ import annotations

import typer

from escrow.operations.cli.output import complain, give_table

app = typer.Typer(help="Explain the settings.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Explain the settings."""


@app.command("check")
def check() -> None:
    """Print each setting, its value, where it came from and what it does, then the warnings.

    Example: escrow config check
    """
    from escrow.operations.settings_source import settings

    known = settings()
    rows = [
        {
            "setting": item.name,
            "value": item.value,
            "from": item.source,
            "meaning": item.explanation,
        }
        for item in known.explain()
    ]
    give_table(rows, ("setting", "value", "from", "meaning"), "No settings.")
    for warning in known.warnings():
        complain(f"warning: {warning}")
