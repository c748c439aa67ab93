"""A PKCS#11 token for the tests: Debian's SoftHSM2, one token for the whole run.

The library reads its settings when it is first loaded, so there is one folder for each process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from escrow.ground.pkcs11_tokens import Token

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
LABEL, PIN = "trial", "4711"


@cache
def softhsm_settings() -> Path:
    """Make the token and return the settings file that leads to it."""
    assert MODULE.exists(), "SoftHSM2 is missing: run 'make trials'"
    folder = Path(tempfile.mkdtemp(prefix="escrow-softhsm-"))
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL]
    command += ["--so-pin", "12345678", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    return settings


def softhsm_token(pin: str = PIN, timeout_seconds: float = 10) -> Token:
    """Return the token, not opened yet."""
    softhsm_settings()
    return Token(MODULE, LABEL, lambda: pin, timeout_seconds)
