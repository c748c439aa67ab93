"""This machine's own Debian sources, and a base image bootstrapped from them.

No address of a mirror is written anywhere in this program: what the machine installs its own
packages from is asked of apt. The base holds apt and certificates and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from builders.errors import ImageNotBuilt
from builders.sandbox_engine import OnProgress

# Time stamps inside the base: with a fixed one, the same packages give the same bytes.
BASE_EPOCH = "1700000000"

# A bootstrap takes half a minute; a dead mirror must not hold a worker for ever.
BOOTSTRAP_SECONDS_MAX = 900

# The pockets of a suite that a builder installs from; never backports or third parties.
_POCKETS = ("", "-updates", "-security")

# Neither manuals nor translations are read by a build; licences stay, the image is handed over.
_PATH_FILTERS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


def debian_sources(index_targets: str, own_suite: str, wanted_suite: str) -> tuple[str, ...]:
    """Return the source lines for a suite, from where this machine gets its own.

    Args:
        index_targets: lines ``site|release|component|origin`` of ``apt-get indextargets``.
        own_suite: the suite that this machine runs; its sites carry the other suites too.
        wanted_suite: the suite of the base.
    """
    lines = []
    for target in index_targets.splitlines():
        site, release, component, origin = (*target.split("|"), "", "", "")[:4]
        pocket = release.removeprefix(own_suite)
        ours = release.startswith(own_suite) and pocket in _POCKETS
        if ours and (component, origin) == ("main", "Debian"):
            lines.append(f"deb {site} {wanted_suite}{pocket} {component}")
    return tuple(dict.fromkeys(lines))


def apt_proxies() -> Mapping[str, str]:
    """Return the proxies that apt uses here: of the environment, or of apt's own settings."""
    found = {
        name: os.environ.get(name) or os.environ.get(name.upper()) or ""
        for name in _PROXY_VARIABLES
    }
    for scheme in ("http", "https"):
        if not found[f"{scheme}_proxy"] and shutil.which("apt-config"):
            asked = _output(["apt-config", "shell", "P", f"Acquire::{scheme}::Proxy"])
            found[f"{scheme}_proxy"] = asked.strip().removeprefix("P=").strip("'\"")
    return {name: value for name, value in found.items() if value}


def bootstrap(suite: str, target: Path, on_progress: OnProgress) -> None:
    """Make a base of a suite as a tar file, from this machine's own Debian mirror.

    Raises:
        ImageNotBuilt: this is no Debian machine, or its mirror does not give the suite.
    """
    _ensure_mmdebstrap(on_progress)
    sources = _own_sources(suite)
    on_progress(f"bootstrapping the {suite} base from this machine's Debian mirror")
    filters = [f"--dpkgopt={line}" for line in _PATH_FILTERS]
    command = [
        "mmdebstrap", "--quiet", "--variant=apt", "--include=ca-certificates",
        *filters, suite, str(target), *sources,
    ]  # fmt: skip
    _run(command, "The base image could not be bootstrapped.", {"SOURCE_DATE_EPOCH": BASE_EPOCH})


def _ensure_mmdebstrap(on_progress: OnProgress) -> None:
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ImageNotBuilt(
            "No base image is there, no registry answers, and mmdebstrap is not installed.",
            "Install mmdebstrap, or run once as root on Debian, "
            "or tag a Debian image of your own as escrow/base:<suite>.",
        )
    on_progress("installing mmdebstrap")
    _run(["apt-get", "update", "-qq"], "Debian's package lists could not be read.")
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"]
    _run(command, "mmdebstrap could not be installed.")


def _own_sources(suite: str) -> tuple[str, ...]:
    """Ask apt where this machine's packages come from, reading its lists anew if it has none."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"]
    own_suite = _own_suite()
    sources = debian_sources(_output(command), own_suite, suite)
    if not sources and os.geteuid() == 0:
        _run(["apt-get", "update", "-qq"], "Debian's package lists could not be read.")
        sources = debian_sources(_output(command), own_suite, suite)
    if not sources:
        raise ImageNotBuilt(
            "No Debian mirror is set up on this machine, so no base image can be bootstrapped.",
            "Run on Debian, or tag a Debian image of your own as escrow/base:<suite>.",
        )
    return sources


def _own_suite() -> str:
    """Return the code name of the Debian release that this machine runs, or an odd word."""
    release = Path("/etc/os-release")
    lines = release.read_text(encoding="utf-8").splitlines() if release.exists() else []
    fields = dict(line.partition("=")[::2] for line in lines)
    return fields.get("VERSION_CODENAME", "").strip('"') or "no-suite"


def _output(command: list[str]) -> str:
    """Return what a command says, and nothing when it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _run(command: list[str], reason: str, environment: Mapping[str, str] | None = None) -> None:
    """Run one command of the bootstrap to its end.

    Raises:
        ImageNotBuilt: it failed; the reason holds its last line.
    """
    surroundings = {**os.environ, **apt_proxies(), "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env={**surroundings, **(environment or {})},
            timeout=BOOTSTRAP_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ImageNotBuilt(reason, "Check the Debian mirror of this machine.") from problem
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ImageNotBuilt(
            f"{reason} {command[0]} says: {last}", "Check the Debian mirror of this machine."
        )
