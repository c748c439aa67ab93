"""A path that cannot leave its root."""

from __future__ import annotations

from pathlib import Path

from escrow.ground.errors import InvalidInput


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
