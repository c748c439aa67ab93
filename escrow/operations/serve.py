"""``escrow serve``: keyholder, portal and worker on one machine, until told to stop."""

from __future__ import annotations

from collections.abc import Callable

from escrow.ground.errors import Refused
from escrow.ground.settings import Settings
from escrow.operations.answering import answer, tidy
from escrow.operations.assembly import Scratch, assemble_portal, assemble_worker, footing
from escrow.operations.calls.unix import UnixLine
from escrow.operations.installation import initialise, prepare, running_keyholder
from escrow.operations.own_keys import portal_key, worker_keys
from escrow.operations.running import begin
from escrow.operations.working import begin_work


class KeyholderElsewhere(Refused):
    """The settings name a keyholder on its own, and everything on one machine was asked for."""

    code = "serve.keyholder-elsewhere"


def run_service(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        KeyholderElsewhere: the settings are those of processes that run apart.
        KeyManagerNotNamed, ScratchNotMemory: the settings are not safe for this environment.
        OtherKeyholder: the trust root is not this keyholder's.
    """
    if settings.keyholder_address or settings.keyholder_listen:
        raise KeyholderElsewhere(
            "The settings name a keyholder that runs apart; 'serve' brings its own.",
            "Take keyholder_address and keyholder_listen away, or run 'escrow portal', "
            "'escrow worker' and 'escrow keyholder'.",
        )
    begin(settings, "service")
    first = initialise(settings, new_token=False)
    if first.one_time_token:
        tell(f"One-time token for the first administrator: {first.one_time_token}")
    tell(f"Trust root: {first.fingerprint}")
    home = prepare(settings)
    with running_keyholder(settings, home) as root:
        on = footing(settings, root, UnixLine(home.socket), "service")
        scratch = Scratch(settings.scratch).laid_out()
        portal = assemble_portal(on, portal_key(home), scratch)
        worker = assemble_worker(on, worker_keys(home), scratch)
        try:
            tidy(portal)
            begin_work(worker)
            answer(portal, tell)
        finally:
            on.engine.stop()
            portal.rooms.desk.rest()
            on.database.close()
