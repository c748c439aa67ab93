"""The service's folder: who owns what in it, and how it comes to be.

::

    <home>/                 0755  root (or whoever runs the service)
      database/             2770  service : keyholder   the SQLite file, written by both processes
      blobs/                0700  service               sealed payloads, named by their SHA-256
      service/              0700  service               signing keys of portal and worker
      keyholder/            0700  keyholder             key manager, lanes, ledger and own keys
      run/                  0755  keyholder             the keyholder's socket and public keys
      trust-root.json       0644  service               every public key, for whoever checks us

A process that runs apart has a home of its own, with only its own folder of keys in it, and::

      tls/                  0700  certificate and key by which it is known on the network
      acquaintances/        0700  the other processes' public halves, pinned at the first start

Started by root, the keyholder gets a user of its own; started by anyone else both processes share
one user, which protects nothing between them, and every start says so.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.errors import Unavailable

# The name that stands in the trust root and on statements; an agency's own name is a later setting.
SERVICE_NAME = "escrow"


class NoOwnUser(Unavailable):
    """The system users that separate the processes cannot be made."""

    code = "home.no-own-user"


@dataclass(frozen=True)
class Home:
    """Where everything of one installation lies; names only, nothing is opened here."""

    root: Path

    @property
    def database_folder(self) -> Path:
        """The folder that the service and the keyholder both write."""
        return self.root / "database"

    @property
    def blobs(self) -> Path:
        """Sealed payloads."""
        return self.root / "blobs"

    @property
    def service(self) -> Path:
        """Keys of the portal and the worker."""
        return self.root / "service"

    @property
    def keyholder(self) -> Path:
        """The keyholder's own disk."""
        return self.root / "keyholder"

    @property
    def run(self) -> Path:
        """The keyholder's socket and public keys."""
        return self.root / "run"

    @property
    def tls(self) -> Path:
        """The certificate and its key of a process that runs apart."""
        return self.root / "tls"

    @property
    def acquaintances(self) -> Path:
        """Whom a process that runs apart has met."""
        return self.root / "acquaintances"

    @property
    def lock(self) -> Path:
        """Held by the one service that runs on this folder."""
        return self.root / "service.lock"

    @property
    def socket(self) -> Path:
        """The keyholder's socket."""
        return self.run / "keyholder.sock"

    @property
    def keyholder_public(self) -> Path:
        """The keyholder's public keys, written by itself."""
        return self.run / "keyholder-public.json"

    @property
    def pinned(self) -> Path:
        """The service's keys as the keyholder was told them, out of the service's reach."""
        return self.root / "pinned-for-keyholder.json"

    @property
    def trust_root(self) -> Path:
        """Every public key of this installation."""
        return self.root / "trust-root.json"


@dataclass(frozen=True)
class ProcessUser:
    """A system user that a process drops to."""

    uid: int
    gid: int
    name: str


def own_user(name: str) -> ProcessUser | None:
    """Return the system user of that name, made when it is missing; None when not root.

    Raises:
        NoOwnUser: root, but the user cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = _make_user(name)
    return ProcessUser(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _make_user(name: str) -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--shell", "/usr/sbin/nologin", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoOwnUser(
            f"The system user {name!r} cannot be made: {done.stderr.strip()[:200]}",
            f"Make it by hand ('useradd --system {name}') or name another in the settings.",
        )
    return pwd.getpwnam(name)


def lay_out(home: Home, keyholder: ProcessUser | None) -> None:
    """Make the folders with their owners and modes; safe to run again."""
    home.root.mkdir(parents=True, exist_ok=True)
    home.root.chmod(0o755)
    for folder, mode in (
        (home.database_folder, 0o2770),
        (home.blobs, 0o700),
        (home.service, 0o700),
        (home.keyholder, 0o700),
        (home.run, 0o755),
    ):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    if keyholder is not None:
        shutil.chown(home.database_folder, group=keyholder.gid)
        os.chown(home.keyholder, keyholder.uid, keyholder.gid)
        os.chown(home.run, keyholder.uid, keyholder.gid)


def lay_out_apart(home: Home, keys: Path) -> None:
    """Make the home of a process that runs apart, as the user that it runs as.

    Args:
        home: its own.
        keys: the folder in it where its keys lie.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    keys.mkdir(mode=0o700, exist_ok=True)


def drop_privileges(user: ProcessUser) -> None:
    """Become that user for good; the calling process keeps nothing of root's.

    The order matters: supplementary groups and the group can only be changed while still root.
    """
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    # SQLite gives the files beside the shared database that file's own mode, whatever this says.
    os.umask(0o077)


def group_name(user: ProcessUser | None) -> str | None:
    """Return the name of the user's group, for messages."""
    return None if user is None else grp.getgrgid(user.gid).gr_name
