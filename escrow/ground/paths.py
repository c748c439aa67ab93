"""A path that cannot leave its root, a name that every system takes, a file whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from escrow.ground.errors import InvalidInput

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class PathEscapes(InvalidInput):
    """A relative path would lead out of the folder that it must stay in."""

    code = "input.path-escapes"


class RootedPath:
    """A folder and the promise that every path joined to it stays below it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def join(self, *parts: str) -> Path:
        """Return the path below the root, links resolved.

        Raises:
            PathEscapes: the result, with links followed, is not below the root.
        """
        path = self.root.joinpath(*parts).resolve()
        if not path.is_relative_to(self.root):
            raise PathEscapes(
                f"The path {'/'.join(parts)[:120]!r} leads out of its folder.",
                "Name a path without '..' and without links that point elsewhere.",
            )
        return path


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write a file so that no crash and no reader ever sees half of it; replaces what stood there.

    Args:
        path: its folder is there.
        text: UTF-8.
        mode: permissions of the file.
    """
    # A name of its own: two processes that write the same file at once do not mix.
    staged = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    with staged.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    staged.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def safe_name(text: str) -> str:
    """Return a name that every system takes; two names stay two by the digest behind them."""
    safe = _UNSAFE.sub("_", text).strip(".") or "_"
    if safe == text:
        return safe
    return f"{safe[:80]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
