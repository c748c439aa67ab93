"""``escrow serve`` and the processes behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from escrow.operations.cli.output import complain, give, say, wants_json


@contextlib.contextmanager
def _until_stopped() -> Iterator[Callable[[str], None]]:
    """Give what a process tells with; it ends well however it was told to stop."""
    from escrow.operations.running import faults_logged

    # Ctrl-C is the usual way to stop it by hand; everything was put away before it gets here.
    with contextlib.suppress(KeyboardInterrupt), faults_logged():
        # The one document comes at the end; what is told meanwhile is for whoever watches.
        yield complain if wants_json() else say
    if wants_json():
        give({"stopped": True})


def serve() -> None:
    """Run the whole service on this machine: keyholder, portal and worker.

    Sets the installation up when it is new. Stops in order on Ctrl-C or SIGTERM; whatever it was
    doing is taken up again at the next start.

    Example: ESCROW_KEY_MANAGER=file escrow serve
    """
    from escrow.operations.serve import run_service
    from escrow.operations.settings_source import settings

    with _until_stopped() as tell:
        run_service(settings(), tell)


def portal() -> None:
    """Run a portal alone, with keyholder and worker as processes of their own.

    Example: ESCROW_KEYHOLDER_ADDRESS=keyholder:8421 ESCROW_EXCHANGE=/exchange escrow portal
    """
    from escrow.operations.apart import run_portal
    from escrow.operations.settings_source import settings

    with _until_stopped() as tell:
        run_portal(settings(), tell)


def worker() -> None:
    """Run a worker alone; as many as wanted, on PostgreSQL.

    Example: ESCROW_KEYHOLDER_ADDRESS=keyholder:8421 ESCROW_EXCHANGE=/exchange escrow worker
    """
    from escrow.operations.apart import run_worker
    from escrow.operations.settings_source import settings

    with _until_stopped() as tell:
        run_worker(settings(), tell)


def keyholder() -> None:
    """Run the keyholder alone; 'serve' starts it by itself.

    Example: ESCROW_KEYHOLDER_LISTEN=0.0.0.0:8421 ESCROW_EXCHANGE=/exchange escrow keyholder
    """
    from escrow.operations.keyholder.process import run_keyholder
    from escrow.operations.settings_source import settings

    with _until_stopped():
        run_keyholder(settings())


def alive(process: Annotated[str, typer.Argument(help="portal, worker or keyholder")]) -> None:
    """Tell whether the process of these settings does its part; for health checks.

    Example: escrow alive portal
    """
    from escrow.operations.liveness import check_alive
    from escrow.operations.settings_source import settings

    check_alive(settings(), process)
    give({"process": process, "alive": True}, f"The {process} does its part.")


def docs() -> None:
    """Write the generated pages of docs/ again.

    Example: escrow docs
    """
    from escrow.operations.pages import write_pages

    give([str(path) for path in write_pages()])
