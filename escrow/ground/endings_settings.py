"""How long what was ended lives on in backups: a setting that nobody can guess."""

from __future__ import annotations

from escrow.ground import setting_values as form
from escrow.ground.setting_values import Spec

# Ten years: whoever keeps backups of keys for longer has destroyed nothing.
MAX_BACKUP_HORIZON_DAYS = 3650


def _optional_days(value: object) -> int | None:
    """Return a number of days, None for an empty text."""
    return None if value == "" else form.integer(0, MAX_BACKUP_HORIZON_DAYS)(value)


ENDINGS_SPECS: tuple[Spec, ...] = (
    Spec(
        "backup_horizon_days",
        _optional_days,
        lambda _: None,
        "days for which backups of key manager and database are kept, as certificates of "
        "destruction state it; without it nothing is destroyed",
    ),
)
