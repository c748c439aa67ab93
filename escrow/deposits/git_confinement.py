"""How git is kept: as an own user, with limits, without a network and without our environment.

Git reads what a stranger sent, in C, on the trusted side. So whatever takes it over finds an
empty environment, no network, no key, no database, nobody else's files, and bounded memory.
Confinement needs root and a user set aside; without them git runs as we do, with limits, and the
log says so: right for a developer's machine, wrong for a service.
"""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from escrow.deposits.errors import GitNotConfined

_log = logging.getLogger("escrow.deposits.git")

_GIB = 1024**3

# Nothing of our own environment reaches git: no configuration, no credentials, no proxy, no home.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ATTR_NOSYSTEM": "1",
}

# A trial run of the wrapper takes milliseconds; a hanging one is a broken machine.
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class GitLimits:
    """What one git process may use.

    Attributes:
        pack_bytes: the largest pack; larger sources come as a bundle by resumable upload.
        memory_bytes: address space; index-pack holds the largest delta chain in memory.
        cpu_seconds: index-pack of a pack of 5 GiB takes minutes; an hour is a loop.
        open_files: git keeps packs and pipes open, never hundreds.
        processes: of the whole git user, threads included, over all pushes under way.
    """

    pack_bytes: int = 5 * _GIB
    memory_bytes: int = 4 * _GIB
    cpu_seconds: int = 3600
    open_files: int = 256
    processes: int = 512


@dataclass(frozen=True)
class GitConfinement:
    """A way to run git; made once, by :meth:`detect`.

    Attributes:
        user_id: the user git runs as; None when it runs as we do.
        group_id: its group.
        without_network: whether it gets an own, empty network namespace.
    """

    limits: GitLimits = field(default_factory=GitLimits)
    user_id: int | None = None
    group_id: int | None = None
    without_network: bool = False

    @classmethod
    def detect(
        cls, user: str | None, scratch: Path, limits: GitLimits | None = None
    ) -> GitConfinement:
        """Return the strictest confinement that this machine allows.

        Args:
            user: name of the user set aside for git; None when none was.
            scratch: where repositories will lie; the user must be able to get there.

        Raises:
            GitNotConfined: the user exists, and cannot run git in the scratch folder.
        """
        limits = limits or GitLimits()
        account = _account(user)
        if account is None:
            _log.warning("git runs as the service's own user: there is no user set aside for it")
            return cls(limits)
        strict = cls(limits, account.pw_uid, account.pw_gid, without_network=True)
        if strict._reaches(scratch):
            return strict
        loose = cls(limits, account.pw_uid, account.pw_gid, without_network=False)
        if loose._reaches(scratch):
            _log.warning("git keeps the network: this machine gives no network namespaces")
            return loose
        raise GitNotConfined(
            f"Git cannot run as {account.pw_name} in {scratch}.",
            "Let that user pass every folder above it (chmod o+x), or choose another scratch.",
        )

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the whole command line for a git command."""
        limits = self.limits
        line = ["/usr/bin/unshare", "--net", "--"] if self.without_network else []
        line += [
            "/usr/bin/prlimit",
            "--core=0",
            f"--as={limits.memory_bytes}",
            f"--cpu={limits.cpu_seconds}",
            # A pack is written once, and its index beside it is smaller.
            f"--fsize={limits.pack_bytes + _GIB}",
            f"--nofile={limits.open_files}",
        ]
        if self.user_id is not None:
            # Counted for the whole user, so only where the user is git's own.
            line += [f"--nproc={limits.processes}", "/usr/bin/setpriv"]
            line += [f"--reuid={self.user_id}", f"--regid={self.group_id}", "--clear-groups"]
            line += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]
        return [*line, "/usr/bin/git", *arguments]

    def give(self, *paths: Path) -> None:
        """Make files and folders belong to git's user."""
        if self.user_id is not None and self.group_id is not None:
            for path in paths:
                os.chown(path, self.user_id, self.group_id)

    def _reaches(self, folder: Path) -> bool:
        try:
            tried = subprocess.run(
                self.command(["-C", str(folder), "version"]),
                env=ENVIRONMENT,
                cwd="/",
                capture_output=True,
                timeout=_PROBE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return tried.returncode == 0


def _account(user: str | None) -> pwd.struct_passwd | None:
    if user is None or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None
