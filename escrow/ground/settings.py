"""Settings: read once, each with where it came from, unsafe ones refused where they matter.

An ``ESCROW_*`` variable of the environment wins over the TOML file, the file over the default.
There is one file: the one that ``ESCROW_CONFIG`` names, else ``~/.config/escrow/escrow.toml``,
else ``/etc/escrow/escrow.toml``. A name that nobody knows is refused, never ignored: a misspelled
limit must not silently be no limit. Nothing is created here; besides that one file only the one
that holds the database's password is read, where it is named.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from escrow.ground import setting_values as form
from escrow.ground.errors import InvalidInput, Refused
from escrow.ground.key_settings import KEY_SPECS, KeySettings, check_key_manager, key_warnings
from escrow.ground.mail_settings import MAIL_SPECS, NO_MAIL_SERVER, MailSettings, SmtpTls
from escrow.ground.process_settings import PROCESS_SPECS
from escrow.ground.setting_values import GIB, MIB, PREFIX, Spec
from escrow.ground.storage_settings import STORAGE_SPECS, StorageFields
from escrow.ground.witness_settings import WITNESS_SPECS

Environment = Literal["production", "demo", "development"]

# 'service' is portal, worker and the keyholder beside them on one machine.
ProcessName = Literal["service", "portal", "worker", "keyholder"]

DEFAULT = "default"

SYSTEM_FILE = Path("/etc/escrow/escrow.toml")

# What the command line's client reads; a shell that starts the service may hold them as well.
CLIENT_VARIABLES = frozenset(
    {
        "ESCROW_CONFIG",
        "ESCROW_URL",
        "ESCROW_TOKEN",
        "ESCROW_TOKEN_FILE",
        "ESCROW_ONE_TIME_TOKEN",
        "ESCROW_PASSPHRASE",
        "ESCROW_PASSPHRASE_FILE",
        "ESCROW_PIN_FILE",
        "ESCROW_TRUST_ROOT",
        "ESCROW_OUTPUT_JSON",
    }
)

# A push is unpacked in scratch, which is memory; larger histories come as an upload.
DEFAULT_MAX_PUSH_BYTES = 2 * GIB
# The largest part that is uploaded; it streams, so the bound is the disk's and not the memory's.
DEFAULT_MAX_UPLOAD_BYTES = 256 * GIB
# Two builds at a time leave a small machine able to answer; more is for who has the cores.
DEFAULT_WORKERS = 2

# What each process has in its hands (docs/architecture.md), and so which settings matter to it.
_HOLDS_KEYS = frozenset({"service", "keyholder"})
_HOLDS_PLAINTEXT = frozenset({"service", "portal", "worker"})
_SENDS_MAIL = frozenset({"service", "worker"})

_TMPFS = frozenset({"tmpfs", "ramfs"})
_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs"})

# A configuration is typed by a person; a megabyte of it is some other file.
_MAX_FILE_BYTES = MIB


class UnknownSetting(InvalidInput):
    """A variable or key looks like a setting and is none."""

    code = "settings.unknown-name"


class BadSetting(InvalidInput):
    """A setting has a value that it cannot have."""

    code = "settings.bad-value"


class BadSettingsFile(InvalidInput):
    """The configuration file is missing, unreadable or not TOML."""

    code = "settings.bad-file"


class ScratchNotMemory(Refused):
    """The scratch folder would put plaintext on a disk."""

    code = "settings.scratch-not-memory"


class DatabaseOnNetwork(Refused):
    """The SQLite file lies on a network file system, where its locks do not hold."""

    code = "settings.database-on-network"


@dataclass(frozen=True)
class ExplainedSetting:
    """One line of ``escrow config check``; a secret in the value is masked."""

    name: str
    value: str
    source: str
    explanation: str


@dataclass(frozen=True)
class Settings(KeySettings, StorageFields):
    """Every setting of one process, checked one by one; ``sources`` says where each came from."""

    env: Environment
    home: Path
    scratch: Path
    database_url: str
    database_password_file: Path | None
    listen_host: str
    listen_port: int
    public_url: str
    keyholder_user: str
    git_user: str
    docker_host: str | None
    sandbox_runtime: str | None
    workers: int
    max_push_bytes: int
    max_upload_bytes: int
    build_cpus: float
    build_memory_bytes: int
    build_disk_bytes: int
    build_seconds: int
    exchange: Path
    database_roles: Path | None
    keyholder_listen: str | None
    keyholder_address: str | None
    relay_listen: str | None
    relay_address: str | None
    worker_name: str | None
    more_workers: tuple[str, ...]
    anchors: Path | None
    smtp_host: str | None
    smtp_tls: SmtpTls
    smtp_port: int
    smtp_username: str | None
    smtp_password_file: Path | None
    smtp_ca_file: Path | None
    smtp_from: str | None
    smtp_reply_to: str | None
    backup_horizon_days: int | None
    sources: Mapping[str, str] = field(repr=False)

    def is_named(self, name: str) -> bool:
        """Tell whether somebody set this value, as against taking the default."""
        return self.sources[name] != DEFAULT

    @property
    def mail(self) -> MailSettings | None:
        """The mail server, None when none is set.

        Raises:
            MailIncomplete, MailPasswordInClear: its settings do not go together.
        """
        if self.smtp_host is None:
            return None
        mail = MailSettings(
            host=self.smtp_host,
            port=self.smtp_port,
            tls=self.smtp_tls,
            username=self.smtp_username,
            password_file=self.smtp_password_file,
            ca_file=self.smtp_ca_file,
            sender=self.smtp_from or "",
            reply_to=self.smtp_reply_to or self.smtp_from or "",
        )
        mail.check()
        return mail

    def explain(self) -> tuple[ExplainedSetting, ...]:
        """Return every setting with its value, source and meaning, for ``escrow config check``."""
        return tuple(
            ExplainedSetting(
                spec.name,
                _shown(getattr(self, spec.name)),
                self.sources[spec.name],
                spec.explanation,
            )
            for spec in SPECS
        )

    def check_safe(self, process: ProcessName = "service") -> tuple[str, ...]:
        """Refuse what must not be run like this; return warnings about what only may.

        Args:
            process: which one runs on these settings; only what it holds is asked after.

        Raises:
            KeyManagerNotNamed, KeyManagerIncomplete: no key manager, or one that lacks something.
            ScratchNotMemory: scratch is no tmpfs and nobody named it.
            DatabaseOnNetwork: SQLite on a network file system.
            MailIncomplete, MailPasswordInClear: of a mail server that is set.
        """
        if process in _HOLDS_KEYS:
            check_key_manager(self, self.env)
        _check_database_place(self)
        if process in _HOLDS_PLAINTEXT and not _is_memory(self.scratch):
            _check_scratch_named(self)
        return self.warnings(process)

    def warnings(self, process: ProcessName = "service") -> tuple[str, ...]:
        """Return a sentence for each setting that may be so, and that somebody should know of.

        Raises:
            MailIncomplete, MailPasswordInClear, StoreIncomplete: of what is set.
        """
        found: list[str] = []
        if process in _SENDS_MAIL:
            mail = self.mail
            found += mail.warnings() if mail else [NO_MAIL_SERVER]
            found += self.storage.warnings
        if process in _HOLDS_KEYS:
            found += key_warnings(self)
        if process in _HOLDS_PLAINTEXT and not _is_memory(self.scratch):
            found.append(
                f"Scratch {self.scratch} is no tmpfs: plaintext of arriving parts touches that "
                "volume. Encrypt it with a key that is thrown away."
            )
        return tuple(found)


def read_settings(
    environment: Mapping[str, str], *, home_folder: Path | None = None, uid: int | None = None
) -> Settings:
    """Return the settings of this process.

    Args:
        environment: the process's variables; only ``ESCROW_*`` are looked at.
        home_folder: where ``.config/escrow`` is looked for; the user's own by default.
        uid: names the default scratch folder; the process's own by default.

    Raises:
        UnknownSetting: a variable or key that looks like a setting and is none.
        BadSetting: a value that the setting cannot have.
        BadSettingsFile: the file is missing though named, unreadable or not TOML.
    """
    _check_known_variables(environment)
    path = _file(environment, Path.home() if home_folder is None else home_folder)
    keys = {} if path is None else _read_file(path)
    values: dict[str, Any] = {"uid": os.geteuid() if uid is None else uid}
    sources: dict[str, str] = {}
    for spec in SPECS:
        variable = spec.variable
        if variable in environment:
            values[spec.name] = _parse(spec, environment[variable], variable)
            sources[spec.name] = f"environment {variable}"
        elif spec.name in keys:
            values[spec.name] = _parse(spec, keys[spec.name], f"{path}, {spec.name}")
            sources[spec.name] = str(path)
        else:
            values[spec.name] = spec.default(values)
            sources[spec.name] = DEFAULT
    del values["uid"]
    try:
        url, file = values["database_url"], values["database_password_file"]
        values["database_url"] = form.with_password(url, file)
    except ValueError as expected:
        raise BadSetting(
            "The file of the database's password does not go with the database's address.",
            f"Name {expected}.",
        ) from None
    return Settings(**values, sources=sources)


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that a path lies or would lie on, e.g. ``tmpfs``.

    Args:
        path: need not exist; its nearest existing folder counts.
        mounts: text in the form of ``/proc/mounts``; the machine's own by default.
    """
    place = path.absolute()
    while not place.exists():
        place = place.parent
    place = place.resolve()
    if mounts is None:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    kind, depth = "unknown", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        # Blanks in a mount point are written as octal escapes (proc(5)).
        point = Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        # Of mounts on one point the last hides the others.
        if place.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = fields[2], len(point.parts)
    return kind


SPECS: tuple[Spec, ...] = (
    Spec(
        "env",
        form.one_of(*get_args(Environment)),
        lambda _: "production",
        "production, demo or development; the latter two are stamped on every statement",
    ),
    Spec(
        "home",
        form.path,
        lambda _: Path("/var/lib/escrow"),
        "the service's folder: database, sealed parts, keys",
    ),
    Spec(
        "scratch",
        form.path,
        lambda known: Path(f"/dev/shm/escrow-{known['uid']}"),  # noqa: S108 (memory is the point)
        "where plaintext may be while it is sealed; must be memory (tmpfs) unless named",
    ),
    Spec(
        "database_url",
        form.database_url,
        lambda known: f"sqlite:///{known['home'] / 'database' / 'escrow.db'}",
        "the database; PostgreSQL when more than one machine works",
    ),
    Spec(
        "database_password_file",
        form.optional_path,
        lambda _: None,
        "a file that holds the password of the database's user and nothing else",
    ),
    Spec("listen_host", form.text, lambda _: "127.0.0.1", "the address that the portal listens on"),
    Spec("listen_port", form.integer(1, 65535), lambda _: 8420, "the portal's port"),
    Spec(
        "public_url",
        form.http_url,
        lambda known: f"http://{known['listen_host']}:{known['listen_port']}",
        "the address that others reach the portal by; stands in remotes and links",
    ),
    Spec("keyholder_user", form.user, lambda _: "escrow-keyholder", "the keyholder's system user"),
    Spec("git_user", form.user, lambda _: "escrow-git", "the system user that receives pushes"),
    Spec(
        "docker_host",
        form.optional_text,
        lambda _: None,
        "the builder host's Docker address; the machine's own socket when not set",
    ),
    Spec(
        "sandbox_runtime",
        form.optional_text,
        lambda _: None,
        "the container runtime of trial builds (e.g. runsc); the engine's own when not set",
    ),
    Spec(
        "workers",
        form.integer(1, 64),
        lambda _: DEFAULT_WORKERS,
        "verifications that run at one time",
    ),
    Spec(
        "max_push_bytes",
        form.size,
        lambda _: DEFAULT_MAX_PUSH_BYTES,
        "the largest git push; it is unpacked in scratch",
    ),
    Spec(
        "max_upload_bytes",
        form.size,
        lambda _: DEFAULT_MAX_UPLOAD_BYTES,
        "the largest uploaded part",
    ),
    Spec("build_cpus", form.cpus, lambda _: 2.0, "processors of one trial build"),
    Spec("build_memory_bytes", form.size, lambda _: 4 * GIB, "memory of one trial build"),
    Spec("build_disk_bytes", form.size, lambda _: 16 * GIB, "workspace of one trial build"),
    Spec(
        "build_seconds",
        form.integer(10, 7 * 24 * 3600),
        lambda _: 3600,
        "the longest that one phase of a trial build may take",
    ),
    *KEY_SPECS,
    *PROCESS_SPECS,
    *WITNESS_SPECS,
    *MAIL_SPECS,
    *STORAGE_SPECS,
)

_NAMES = tuple(spec.name for spec in SPECS)


def _check_known_variables(environment: Mapping[str, str]) -> None:
    known = {spec.variable for spec in SPECS} | CLIENT_VARIABLES
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise UnknownSetting(
                f"The environment holds {name}, which is no setting.", _meant(name, sorted(known))
            )


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}? Correct it or take it away."
    return "Take it away; 'escrow config check' lists the settings that there are."


def _file(environment: Mapping[str, str], home_folder: Path) -> Path | None:
    named = environment.get("ESCROW_CONFIG")
    if named:
        return Path(named)
    for path in (home_folder / ".config" / "escrow" / "escrow.toml", SYSTEM_FILE):
        if path.is_file():
            return path
    return None


def _read_file(path: Path) -> dict[str, object]:
    remedy = "Correct the file, or name another by ESCROW_CONFIG."
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE_BYTES)
        keys = tomllib.loads(text.decode())
    except OSError as problem:
        reason = f"The settings file {path} cannot be read: {problem.strerror}."
        raise BadSettingsFile(reason, remedy) from problem
    except ValueError as problem:
        # tomllib names line and column.
        raise BadSettingsFile(
            f"The settings file {path} is not TOML: {problem}.", remedy
        ) from problem
    for name in keys:
        if name not in _NAMES:
            raise UnknownSetting(
                f"The settings file {path} holds {name[:60]!r}, which is no setting.",
                _meant(name, list(_NAMES)),
            )
    return keys


def _parse(spec: Spec, value: object, where: str) -> object:
    try:
        return spec.parse(value)
    except ValueError as expected:
        # The value is shown masked: a database's address may hold a password.
        raise BadSetting(
            f"{where} is {_shown(value)[:80]!r}, which it cannot be.", f"Give it {expected}."
        ) from None


def _shown(value: object) -> str:
    if value is None:
        return ""
    return re.sub(r"(://[^:/@\s]*):[^@/\s]*@", r"\1:***@", str(value))


def _check_database_place(settings: Settings) -> None:
    if not settings.database_url.startswith("sqlite"):
        return
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    kind = file_system_of(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise DatabaseOnNetwork(
            f"The SQLite file {path} lies on a network file system ({kind}).",
            "Move ESCROW_HOME to a disk of this machine, or use PostgreSQL by ESCROW_DATABASE_URL.",
        )


def _is_memory(path: Path) -> bool:
    return file_system_of(path) in _TMPFS


def _check_scratch_named(settings: Settings) -> None:
    if not settings.is_named("scratch"):
        raise ScratchNotMemory(
            f"The scratch folder {settings.scratch} is no tmpfs: plaintext would reach a disk.",
            "Mount a tmpfs there, or name a volume that is encrypted with a throw-away key by "
            "ESCROW_SCRATCH.",
        )
