"""``escrow serve`` and the processes behind it."""

from __future__ import annotations

from typing import Annotated

import typer

from escrow.operations.cli.output import say


def serve() -> None:
    """Run the whole service on this machine: keyholder, portal and worker.

    Sets the installation up when it is new. Stops in order on Ctrl-C or SIGTERM; whatever it was
    doing is taken up again at the next start.

    Example: ESCROW_KEY_MANAGER=file escrow serve
    """
    from escrow.operations.running import faults_logged
    from escrow.operations.serve import run_service
    from escrow.operations.settings_source import settings

    with faults_logged():
        run_service(settings(), say)


def portal() -> None:
    """Run a portal alone, with keyholder and worker as processes of their own.

    Example: ESCROW_KEYHOLDER_ADDRESS=keyholder:8421 ESCROW_EXCHANGE=/exchange escrow portal
    """
    from escrow.operations.apart import run_portal
    from escrow.operations.running import faults_logged
    from escrow.operations.settings_source import settings

    with faults_logged():
        run_portal(settings(), say)


def worker() -> None:
    """Run a worker alone; as many as wanted, on PostgreSQL.

    Example: ESCROW_KEYHOLDER_ADDRESS=keyholder:8421 ESCROW_EXCHANGE=/exchange escrow worker
    """
    from escrow.operations.apart import run_worker
    from escrow.operations.running import faults_logged
    from escrow.operations.settings_source import settings

    with faults_logged():
        run_worker(settings(), say)


def keyholder() -> None:
    """Run the keyholder alone; 'serve' starts it by itself.

    Example: ESCROW_KEYHOLDER_LISTEN=0.0.0.0:8421 ESCROW_EXCHANGE=/exchange escrow keyholder
    """
    from escrow.operations.keyholder.process import run_keyholder
    from escrow.operations.running import faults_logged
    from escrow.operations.settings_source import settings

    with faults_logged():
        run_keyholder(settings())


def alive(process: Annotated[str, typer.Argument(help="portal, worker or keyholder")]) -> None:
    """Tell whether the process of these settings does its part; for health checks.

    Example: escrow alive portal
    """
    from escrow.operations.liveness import check_alive
    from escrow.operations.settings_source import settings

    check_alive(settings(), process)


def docs() -> None:
    """Write the generated pages of docs/ again."""
    from escrow.operations.pages import write_pages

    for path in write_pages():
        typer.echo(path)
