"""How a setting is read: from the text of a variable, or from a value of the TOML file.

Each reader returns the value or raises ValueError with what would be right, as it stands in the
sentence "Give it …". None of them looks at the machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from escrow.ground.mailboxes import mailbox_of

PREFIX = "ESCROW_"

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SIZE = re.compile(r"(\d+)\s*(|B|KiB|MiB|GiB|TiB)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kib": KIB, "mib": MIB, "gib": GIB, "tib": 1024 * GIB}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# As in the trust root, behind "worker/"; it is part of file names and of a job's name too.
_WORKER_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
# Two keys are what a level needs; a few more let one of them be replaced.
MAX_MORE_WORKERS = 4
# A name or an address of a machine, IPv6 too; no blank, slash or line end.
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,255}")
# An IPv6 address stands in brackets, or its last group would look like the port.
_ADDRESS = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})")


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


def text(value: object) -> str:
    """Return a text on one line."""
    # Line ends, tabs and terminal controls are in no value that is meant.
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("a text on one line")
    return value


def optional_text(value: object) -> str | None:
    """Return a text on one line, None for an empty one."""
    return text(value) or None


def path(value: object) -> Path:
    """Return an absolute path."""
    place = Path(text(value))
    if not place.is_absolute():
        raise ValueError("an absolute path, starting with '/'")
    return place


def one_of(*allowed: str) -> Callable[[object], str]:
    """Return a reader that takes one of these words."""

    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(repr(word) for word in allowed))
        return str(value)

    return parse


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a reader that takes a whole number of this range."""

    def parse(value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,12}", text):
            raise ValueError(f"a whole number from {low} to {high}")
        if not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def cpus(value: object) -> float:
    """Return a number of processors."""
    expected = "a number of processors, 0.1 to 1024"
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(expected) from None
    if not math.isfinite(number) or not 0.1 <= number <= 1024:
        raise ValueError(expected)
    return number


def size(value: object) -> int:
    """Return a size in bytes."""
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool) or int(match[1]) == 0:
        raise ValueError("a size such as 500MiB, 4GiB or a number of bytes")
    return int(match[1]) * _UNITS[match[2].lower()]


def user(value: object) -> str:
    """Return a system user's name."""
    name = text(value)
    if not _USER.fullmatch(name):
        raise ValueError("the name of a system user, such as escrow-git")
    return name


def worker_name(value: object) -> str | None:
    """Return the name of a worker beside the first, None for the first, which has none."""
    name = text(value)
    if name and not _WORKER_NAME.fullmatch(name):
        raise ValueError("a short lower-case word, such as second")
    return name or None


def worker_names(value: object) -> tuple[str, ...]:
    """Return the names of workers: a list, or words between commas."""
    listed = value if isinstance(value, list) else text(value).split(",")
    names = [worker_name(one.strip() if isinstance(one, str) else one) for one in listed]
    found = tuple(name for name in names if name is not None)
    if len(set(found)) != len(found) or len(found) > MAX_MORE_WORKERS:
        raise ValueError(f"at most {MAX_MORE_WORKERS} different names, such as second,third")
    return found


def http_url(value: object) -> str:
    """Return an address of the web, without a trailing slash."""
    address = text(value)
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as https://escrow.example.org")
    return address.rstrip("/")


def database_url(value: object) -> str:
    """Return a database's address."""
    address = text(value)
    if address.startswith(("sqlite:////", "postgresql+psycopg://")):
        return address
    raise ValueError("sqlite:////absolute/path.db or postgresql+psycopg://user@host/database")


def optional_path(value: object) -> Path | None:
    """Return an absolute path, None for an empty text."""
    return path(value) if value != "" else None


def optional_host(value: object) -> str | None:
    """Return the name or address of a machine, None for an empty text."""
    if value == "":
        return None
    if not _HOST.fullmatch(text(value)):
        raise ValueError("the name of a machine, such as mail.example.org")
    return str(value)


def optional_address(value: object) -> str | None:
    """Return host and port of a process as ``host:port``, None for an empty text."""
    if value == "":
        return None
    match = _ADDRESS.fullmatch(text(value))
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise ValueError("host and port, such as keyholder:8421")
    return str(value)


def optional_mailbox(value: object) -> str | None:
    """Return an e-mail address in its ASCII form, None for an empty text."""
    if value == "":
        return None
    mailbox = mailbox_of(text(value))
    if mailbox is None:
        raise ValueError("one e-mail address, such as notices@escrow.example.org")
    return mailbox


def with_password(url: str, file: Path | None) -> str:
    """Return a database's address with the password that a file holds in it.

    Args:
        url: of the database.
        file: holds the password and nothing else; None leaves the address as it is.
    """
    if file is None:
        return url
    parts = urlsplit(url)
    if not parts.username or parts.password is not None or not parts.hostname:
        raise ValueError("an address with a user and without a password")
    try:
        password = file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, ValueError):
        raise ValueError(f"a file that can be read, {file} cannot") from None
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()
