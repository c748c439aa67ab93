"""Settings: read once, each with where it came from, unsafe ones refused where they matter.

An ``ESCROW_*`` variable of the environment wins over the TOML file, the file over the default.
There is one file: the one that ``ESCROW_CONFIG`` names, else ``~/.config/escrow/escrow.toml``,
else ``/etc/escrow/escrow.toml``. A name that nobody knows is refused, never ignored: a misspelled
limit must not silently be no limit. Nothing is created here and no file but that one is read.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from escrow.ground.errors import InvalidInput, Refused

Environment = Literal["production", "demo", "development"]
KeyManagerName = Literal["", "file"]

PREFIX = "ESCROW_"
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
        "ESCROW_TRUST_ROOT",
        "ESCROW_OUTPUT_JSON",
    }
)

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# A push is unpacked in scratch, which is memory; larger histories come as an upload.
DEFAULT_MAX_PUSH_BYTES = 2 * GIB
# The largest part that is uploaded; it streams, so the bound is the disk's and not the memory's.
DEFAULT_MAX_UPLOAD_BYTES = 256 * GIB
# Two builds at a time leave a small machine able to answer; more is for who has the cores.
DEFAULT_WORKERS = 2

_TMPFS = frozenset({"tmpfs", "ramfs"})
_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs"})

# A configuration is typed by a person; a megabyte of it is some other file.
_MAX_FILE_BYTES = MIB

_SIZE = re.compile(r"(\d+)\s*(|B|KiB|MiB|GiB|TiB)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kib": KIB, "mib": MIB, "gib": GIB, "tib": 1024 * GIB}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class UnknownSetting(InvalidInput):
    """A variable or key looks like a setting and is none."""

    code = "settings.unknown-name"


class BadSetting(InvalidInput):
    """A setting has a value that it cannot have."""

    code = "settings.bad-value"


class BadSettingsFile(InvalidInput):
    """The configuration file is missing, unreadable or not TOML."""

    code = "settings.bad-file"


class KeyManagerNotNamed(Refused):
    """No key manager was named, and this environment offers none by itself."""

    code = "settings.key-manager-not-named"


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
class Settings:
    """Every setting of one process, checked one by one; ``sources`` says where each came from."""

    env: Environment
    home: Path
    scratch: Path
    blobs: Path
    database_url: str
    listen_host: str
    listen_port: int
    public_url: str
    key_manager: KeyManagerName
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
    sources: Mapping[str, str] = field(repr=False)

    def is_named(self, name: str) -> bool:
        """Tell whether somebody set this value, as against taking the default."""
        return self.sources[name] != DEFAULT

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

    def check_safe(self) -> tuple[str, ...]:
        """Refuse what must not be run like this; return warnings about what only may.

        Raises:
            KeyManagerNotNamed: no key manager, and production takes none by default.
            ScratchNotMemory: scratch is no tmpfs and nobody named it.
            DatabaseOnNetwork: SQLite on a network file system.
        """
        _check_key_manager(self)
        _check_database_place(self)
        warnings = []
        if self.key_manager == "file":
            warnings.append(
                "The file key manager keeps key-encryption keys on this machine's disk: "
                "whoever copies that disk holds Lock B."
            )
        if not _is_memory(self.scratch):
            _check_scratch_named(self)
            warnings.append(
                f"Scratch {self.scratch} is no tmpfs: plaintext of arriving parts touches that "
                "volume. Encrypt it with a key that is thrown away."
            )
        return tuple(warnings)


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


@dataclass(frozen=True)
class Spec:
    """One setting: how it is read, what stands when nobody sets it, what it does.

    Args:
        name: the field of :class:`Settings`, and the key in the file.
        parse: text or TOML value to value; raises ValueError with what would be right.
        default: from the settings above it in the table.
        explanation: one line for whoever runs the service.
    """

    name: str
    parse: Callable[[object], object]
    default: Callable[[Mapping[str, Any]], object]
    explanation: str

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.name.upper()


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value or "\n" in value:
        raise ValueError("a text on one line")
    return value


def _optional_text(value: object) -> str | None:
    return _text(value) or None


def _path(value: object) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("an absolute path, starting with '/'")
    return path


def _one_of(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(repr(word) for word in allowed))
        return str(value)

    return parse


def _integer(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,12}", text):
            raise ValueError(f"a whole number from {low} to {high}")
        if not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _cpus(value: object) -> float:
    expected = "a number of processors, 0.1 to 1024"
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(expected) from None
    if not math.isfinite(number) or not 0.1 <= number <= 1024:
        raise ValueError(expected)
    return number


def _size(value: object) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool) or int(match[1]) == 0:
        raise ValueError("a size such as 500MiB, 4GiB or a number of bytes")
    return int(match[1]) * _UNITS[match[2].lower()]


def _user(value: object) -> str:
    text = _text(value)
    if not _USER.fullmatch(text):
        raise ValueError("the name of a system user, such as escrow-git")
    return text


def _http_url(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as https://escrow.example.org")
    return text.rstrip("/")


def _database_url(value: object) -> str:
    text = _text(value)
    if text.startswith("sqlite:////") or text.startswith("postgresql+psycopg://"):
        return text
    raise ValueError("sqlite:////absolute/path.db or postgresql+psycopg://user@host/database")


SPECS: tuple[Spec, ...] = (
    Spec(
        "env",
        _one_of(*get_args(Environment)),
        lambda _: "production",
        "production, demo or development; the latter two are stamped on every statement",
    ),
    Spec(
        "home",
        _path,
        lambda _: Path("/var/lib/escrow"),
        "the service's folder: database, sealed parts, keys",
    ),
    Spec(
        "scratch",
        _path,
        lambda known: Path(f"/dev/shm/escrow-{known['uid']}"),  # noqa: S108 (memory is the point)
        "where plaintext may be while it is sealed; must be memory (tmpfs) unless named",
    ),
    Spec("blobs", _path, lambda known: known["home"] / "blobs", "where sealed parts are stored"),
    Spec(
        "database_url",
        _database_url,
        lambda known: f"sqlite:///{known['home'] / 'database' / 'escrow.db'}",
        "the database; PostgreSQL when more than one machine works",
    ),
    Spec("listen_host", _text, lambda _: "127.0.0.1", "the address that the portal listens on"),
    Spec("listen_port", _integer(1, 65535), lambda _: 8420, "the portal's port"),
    Spec(
        "public_url",
        _http_url,
        lambda known: f"http://{known['listen_host']}:{known['listen_port']}",
        "the address that others reach the portal by; stands in remotes and links",
    ),
    Spec(
        "key_manager",
        _one_of(*get_args(KeyManagerName)),
        lambda known: "" if known["env"] == "production" else "file",
        "who holds the key-encryption keys; 'file' must be named in production",
    ),
    Spec("keyholder_user", _user, lambda _: "escrow-keyholder", "the keyholder's system user"),
    Spec("git_user", _user, lambda _: "escrow-git", "the system user that receives pushes"),
    Spec(
        "docker_host",
        _optional_text,
        lambda _: None,
        "the builder host's Docker address; the machine's own socket when not set",
    ),
    Spec(
        "sandbox_runtime",
        _optional_text,
        lambda _: None,
        "the container runtime of trial builds (e.g. runsc); the engine's own when not set",
    ),
    Spec(
        "workers", _integer(1, 64), lambda _: DEFAULT_WORKERS, "verifications that run at one time"
    ),
    Spec(
        "max_push_bytes",
        _size,
        lambda _: DEFAULT_MAX_PUSH_BYTES,
        "the largest git push; it is unpacked in scratch",
    ),
    Spec(
        "max_upload_bytes", _size, lambda _: DEFAULT_MAX_UPLOAD_BYTES, "the largest uploaded part"
    ),
    Spec("build_cpus", _cpus, lambda _: 2.0, "processors of one trial build"),
    Spec("build_memory_bytes", _size, lambda _: 4 * GIB, "memory of one trial build"),
    Spec("build_disk_bytes", _size, lambda _: 16 * GIB, "workspace of one trial build"),
    Spec(
        "build_seconds",
        _integer(10, 7 * 24 * 3600),
        lambda _: 3600,
        "the longest that one phase of a trial build may take",
    ),
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


def _check_key_manager(settings: Settings) -> None:
    if settings.key_manager == "":
        raise KeyManagerNotNamed(
            f"No key manager is named, and {settings.env} takes none by default.",
            "Set ESCROW_KEY_MANAGER=file to keep the keys in files of this machine, knowing that "
            "its disk then holds Lock B, or name another key manager.",
        )


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
