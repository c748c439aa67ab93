"""``escrow admin continuity``: the copies with which a deposit is opened without this service.

For whoever owns the machine: the copies lie on the keyholder's disk, every one sealed to somebody
else, and are to be kept outside of the operator's account.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from escrow.ground.errors import InvalidInput, NotFound
from escrow.operations.cli.output import give, give_exactly

app = typer.Typer(
    help="Copies and runbook for the day on which this service is gone.", no_args_is_help=True
)


class NoContinuityCopies(NotFound):
    """No continuity copies lie on this machine."""

    code = "cli.no-continuity-copies"


class BadExportFolder(InvalidInput):
    """The folder to export to cannot be written."""

    code = "cli.bad-export-folder"


@app.command("runbook")
def runbook() -> None:
    """Print how holders and agents open a deposit with this service off.

    Example: escrow admin continuity runbook
    """
    from escrow.vault.continuity import copies

    text = (Path(copies.__file__).parent / copies.RUNBOOK).read_text(encoding="utf-8")
    give_exactly({"runbook": text}, text)


@app.command("export")
def export(
    to: Annotated[Path, typer.Argument(help="A folder; what is new is added to it.")],
) -> None:
    """Copy the continuity copies out, to be kept outside the operator's account; repeatable.

    Example: escrow admin continuity export /mnt/outside/copies
    """
    from escrow.operations.home import Home
    from escrow.operations.keyholder.disk import OwnDisk
    from escrow.operations.settings_source import settings

    source = OwnDisk.continuity_of(Home(settings().home).keyholder)
    if not source.is_dir():
        raise NoContinuityCopies(
            f"{source} is not there.",
            "Set ESCROW_CONTINUITY_HOLDERS for the keyholder (docs/keys.md) and make a deposit; "
            "run this on the keyholder's machine.",
        )
    try:
        _drop_other_dealings(source, to)
        shutil.copytree(source, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    except (OSError, shutil.Error) as problem:
        raise BadExportFolder(
            f"The copies cannot be written to {to}.", "Check the folder, its rights and its space."
        ) from problem
    agreements = sorted(path.name for path in to.iterdir() if path.is_dir())
    give({"folder": str(to), "agreements": agreements}, f"Copied to {to}.")


def _drop_other_dealings(source: Path, to: Path) -> None:
    """Remove what was sealed to a key that was dealt anew since: its shares would not fit."""
    from escrow.vault.continuity.copies import KEY_FILE

    for dealt in source.glob(f"*/{KEY_FILE}"):
        exported = to / dealt.parent.name / KEY_FILE
        if exported.exists() and exported.read_bytes() != dealt.read_bytes():
            shutil.rmtree(exported.parent)
