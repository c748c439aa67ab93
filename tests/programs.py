"""Where the programs that check us lie: none is ours, `make trials` fetches them.

A program that is missing fails the test that needs it, with the remedy; nothing is skipped.
"""

import os
from pathlib import Path

_ROOTS = Path("/var/cache/escrow-programs")
_OWN = Path.home() / ".cache/escrow-programs"
FOLDER = Path(os.environ.get("ESCROW_PROGRAMS") or (_ROOTS if os.geteuid() == 0 else _OWN))
# sigsum-c's own library lies beside it, not where the loader looks.
LIBRARIES = FOLDER / "sid/usr/lib/x86_64-linux-gnu"


def sid_program(name: str) -> Path:
    """Return a program of Debian sid: age, cosign, sigsum-verify, sigsum-c-verify, …"""
    return _there(FOLDER / "sid/usr/bin" / name)


def npm_modules() -> Path:
    """Return the folder of npm's packages: age-encryption, cctv-age, shamir-secret-sharing."""
    return _there(FOLDER / "npm/node_modules")


def go_sources() -> Path:
    """Return the folder in which Go finds the sources of Debian's Go packages."""
    return _there(FOLDER / "sid/usr/share/gocode")


def program_versions() -> dict[str, str]:
    """Return which version of each Debian package was fetched, for what is printed and recorded."""
    lines = _there(FOLDER / "sid/versions").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _there(path: Path) -> Path:
    assert path.exists(), f"{path.name} is missing: run 'make trials'"
    return path
