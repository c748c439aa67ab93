"""Look into built packages for modules that they import from themselves and do not hold.

A wheel or an npm package is packed without being run, so a source file that was left out of the
deposit is not missed by the build. Nothing is evaluated, and what is not certain is said apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from builders.inspector.bounds import MISSING_MAX
from builders.inspector.node_imports import NpmPackage, is_node_source, lies_below
from builders.inspector.packages import Allowance, NotRead, read_npm_package, read_wheel
from builders.inspector.python_imports import Wheel, is_python_source


@dataclass(frozen=True)
class Lacks:
    """Missing modules, each as 'module (in file)'. ``doubtful`` ones may never be loaded."""

    certain: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


def missing_modules(path: bytes, folder: bytes, allowance: Allowance) -> Lacks:
    """Return what a wheel or an npm package imports from itself and does not hold.

    Args:
        path: of the file; one that is no package lacks nothing.
        folder: the source that it may have been packed from.
        allowance: what may be read, of this and further packages together.
    """
    try:
        if path.endswith(b".whl"):
            return _of_wheel(path, allowance)
        if path.endswith(b".tgz"):
            return _of_npm_package(path, lies_below(folder), allowance)
    except (NotRead, ValueError, RecursionError):
        return Lacks()  # what it is, is not asked here
    return Lacks()


def _of_wheel(path: bytes, allowance: Allowance) -> Lacks:
    wheel = Wheel(read_wheel(path, allowance, is_python_source))
    certain = frozenset(wheel.certain())
    doubtful = {row for row in wheel.doubtful() if row not in certain}
    return Lacks(_shown(certain), _shown(doubtful))


def _of_npm_package(
    path: bytes, is_deposited: Callable[[str], bool], allowance: Allowance
) -> Lacks:
    package = NpmPackage(read_npm_package(path, allowance, is_node_source), is_deposited)
    rows = list(package.lacks())
    return Lacks(
        _shown((name, address) for name, address, certain in rows if certain),
        _shown((name, address) for name, address, certain in rows if not certain),
    )


def _shown(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    texts = {f"{wanted} (in {name})" for name, wanted in found}
    return tuple(sorted(text.encode("utf-8", "replace").decode() for text in texts)[:MISSING_MAX])
