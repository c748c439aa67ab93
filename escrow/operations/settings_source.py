"""Where the command line's processes get their settings: the environment, once."""

from __future__ import annotations

import functools
import os

from escrow.ground.settings import Settings, read_settings


@functools.cache
def settings() -> Settings:
    """Return this process's settings, read once."""
    return read_settings(os.environ)
