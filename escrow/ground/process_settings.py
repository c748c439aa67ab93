"""Settings of processes that run apart: where each listens, and where it finds the others."""

from __future__ import annotations

from escrow.ground import setting_values as form
from escrow.ground.endings_settings import ENDINGS_SPECS
from escrow.ground.setting_values import Spec

PROCESS_SPECS: tuple[Spec, ...] = (
    Spec(
        "exchange",
        form.path,
        lambda known: known["home"] / "exchange",
        "where processes that run apart lay out their public keys; each writes its own folder",
    ),
    Spec(
        "database_roles",
        form.optional_path,
        lambda _: None,
        "for 'escrow admin migrate' on PostgreSQL: a folder with the files database-portal, "
        "database-worker and database-keyholder, the passwords of the three users",
    ),
    Spec(
        "keyholder_listen",
        form.optional_address,
        lambda _: None,
        "host:port that a keyholder on its own listens on; not set, a socket of this machine",
    ),
    Spec(
        "keyholder_address",
        form.optional_address,
        lambda _: None,
        "host:port where portal and worker find a keyholder on its own",
    ),
    Spec(
        "relay_listen",
        form.optional_address,
        lambda _: None,
        "host:port on which a portal on its own takes live log lines from workers",
    ),
    Spec(
        "relay_address",
        form.optional_address,
        lambda _: None,
        "host:port to which a worker on its own sends live log lines; not set, none are shown",
    ),
    Spec(
        "worker_name",
        form.worker_name,
        lambda _: None,
        "of a worker beside the first: its name; it has a home and keys of its own",
    ),
    Spec(
        "more_workers",
        form.worker_names,
        lambda _: (),
        "names of the workers beside the first, with a comma between; the same for every process. "
        "The keyholder pins each and puts its key into the trust root",
    ),
    *ENDINGS_SPECS,
)
