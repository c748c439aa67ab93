"""Find the files that an npm package imports from itself and lacks.

Followed is what is loaded on the way from its entry points. Other files of a package may be for
other readers (bundlers, browsers), and of them nothing is said.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from builders.inspector.javascript import own_imports
from builders.inspector.packages import Package

_ENDINGS = (".js", ".cjs", ".mjs")
# A bundler takes one of these where x.js is named; what only describes a file is taken by none.
_TRANSLATED = (".ts", ".tsx", ".mts", ".cts", ".jsx", ".vue", ".svelte")
_NEVER_LOADED = (".d.ts", ".d.mts", ".d.cts", ".map", ".flow", ".md")
_SKIPPED = re.compile(
    r"(^|/)(tests?|__tests__|spec|examples?|docs?|vendor(ed)?|third_party|node_modules|fixtures)/"
    r"|[._](test|spec|benchmark)\.[cm]?js$"
)
# The scripts that run where a package is installed, and may make what it lacks.
_INSTALLING = ("preinstall", "install", "postinstall")
_READERS = ("import", "require", "node", "default")

# What 'npm init' writes for want of knowledge.
_UNASKED_MAIN = "index"


def is_node_source(name: str) -> bool:
    """Return whether a file of an npm package is read; commands often have no ending."""
    plain = "." not in name.rpartition("/")[2]
    return plain or name == "package.json" or name.endswith(_ENDINGS)


@dataclass(frozen=True)
class _Entry:
    target: str
    certain: bool


class NpmPackage:
    """The import graph of one npm package, as far as its texts tell.

    ``is_deposited`` says whether a file, by its path without an ending, lies in the folder that a
    private package was packed from: such a package is not shipped by packing it.
    """

    def __init__(self, package: Package, is_deposited: Callable[[str], bool]) -> None:
        self._texts = package.texts
        self._names, self._stems = package.names, _stems(package.names)
        self._manifest = _table(json.loads(package.texts.get("package.json") or "{}"))
        self._installs = "binding.gyp" in package.names or any(
            name in _table(self._manifest.get("scripts")) for name in _INSTALLING
        )
        self._is_deposited = is_deposited if self._manifest.get("private") is True else _nothing

    def lacks(self) -> Iterator[tuple[str, str, bool]]:
        """Yield (file, address, whether certain) for what is missing."""
        waiting: list[tuple[str, str]] = []
        for entry in self._entries():
            inner = _normal("package.json", entry.target)
            waiting.append(("package.json", entry.target))
            if self._is_missing(inner):
                yield "package.json", entry.target, entry.certain and not self._installs
        yield from self._followed(waiting)

    def _followed(self, waiting: list[tuple[str, str]]) -> Iterator[tuple[str, str, bool]]:
        seen = set()
        while waiting:
            name, wanted = waiting.pop()
            inner = _normal(name, wanted)
            if inner in seen:
                continue
            seen.add(inner)
            if name != "package.json" and self._is_missing(inner):
                yield name, wanted, not self._installs
            for found in self._loaded(inner):
                waiting += [(found, address) for address in own_imports(self._texts[found])]

    def _loaded(self, inner: str) -> list[str]:
        """Return the texts that an address means: the file itself, else what Node tries."""
        tried = (inner, *(inner + end for end in _ENDINGS), f"{inner}/index.js")
        return [name for name in tried if name in self._texts][:1]

    def _is_missing(self, inner: str) -> bool:
        if inner.startswith("..") or _SKIPPED.search(inner):
            return False
        stem = _stem(inner)
        held = inner in self._names or inner in self._stems
        translated = stem != inner and any(stem + ending in self._names for ending in _TRANSLATED)
        return not (held or translated or self._is_deposited(stem))

    def _entries(self) -> Iterator[_Entry]:
        main, private = self._manifest.get("main"), self._manifest.get("private") is True
        runs = "start" in _table(self._manifest.get("scripts"))
        falls_back = "index.js" in self._names  # what Node takes where 'main' is not there
        if (
            isinstance(main, str)
            and main
            and not (falls_back and self._is_missing(_normal("", main)))
        ):
            named = _stem(_normal("", main)) != _UNASKED_MAIN
            yield _Entry(main, named and not private and not runs)
        elif falls_back:
            yield _Entry("index.js", False)
        commands = self._manifest.get("bin")
        for target in commands.values() if isinstance(commands, dict) else (commands,):
            if isinstance(target, str):
                yield _Entry(target, not private)
        yield from (_Entry(target, False) for target in _exported(self._manifest.get("exports")))


def _nothing(_: str) -> bool:
    return False


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _normal(name: str, address: str) -> str:
    plain = address.partition("?")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), plain))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] if name.endswith(_ENDINGS) else name


def _stems(names: set[str]) -> frozenset[str]:
    """Return what can be asked for without an ending: files, and folders that have an index."""
    found = {"."}
    for name in names:
        folder, _, file = name.rpartition("/")
        if file.endswith(_NEVER_LOADED):
            continue
        parts = file.split(".")
        found |= {posixpath.join(folder, ".".join(parts[:end])) for end in range(1, len(parts))}
        if parts[0] == "index" or file == "package.json":
            found.add(folder)
    return frozenset(found)


def _exported(value: object) -> Iterator[str]:
    """Yield the files of the exports that any reader takes; patterns and types are left out."""
    if isinstance(value, str) and value.endswith(_ENDINGS) and "*" not in value:
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _READERS or name.startswith("."):
                yield from _exported(inner)


def lies_below(folder: bytes) -> Callable[[str], bool]:
    """Return a function: whether a file of this path, whatever its ending, lies in a folder."""

    @cache
    def names_in(where: str) -> frozenset[str]:
        try:
            names = os.listdir(os.path.join(folder, where.encode("utf-8", "surrogateescape")))
        except (OSError, ValueError):
            return frozenset()
        return _stems({f"{os.fsdecode(name)}.x" for name in names})

    def look(stem: str) -> bool:
        where, _, name = stem.rpartition("/")
        return name in names_in(where)

    return look
