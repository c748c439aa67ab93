"""Find the modules that the files of a wheel import from the wheel itself and that it lacks.

Only imports that stand in no block are looked at, and only of modules that could lie nowhere else.
Where the importing file is loaded by everybody who imports the package or calls its command, the
lack is certain; elsewhere the file may be one that is never loaded, as for another system.
"""

from __future__ import annotations

import io
import posixpath
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from builders.inspector.bounds import PACKAGE_SEARCHES_MAX
from builders.inspector.packages import Package

# What lies here may be incomplete and works by ways of its own.
_SKIPPED = re.compile(
    r"(^|/)(tests?|testing|examples?|docs?|_?vendor(ed)?|third_party|extern(als?)?|fixtures)/"
    r"|(^|/)(test_|conftest)[^/]*$|_(test|benchmark)\.py$|[^/]*\.data/"
)
# A package that makes modules while it runs says so with one of these.
_DYNAMIC = ("sys.modules", "__path__", "meta_path", "extend_path", "declare_namespace")
# One that makes names does it with one of these.
_MAKES_NAMES = ("import *", "__getattr__", "globals", "setattr", "vars(", "exec(", "__dict__")
_AT_MARGIN = re.compile(r"^(?:from|import)\b", re.MULTILINE)
_COMMAND = re.compile(r"^[^=#\[\n]{1,200}=[ \t]*([\w.]{1,200})[ \t]*:", re.MULTILINE)
_COMMANDS = re.compile(r"^\[(?:console|gui)_scripts\]\s*$([^\[]*)", re.MULTILINE)


def is_python_source(name: str) -> bool:
    """Return whether a file of a wheel is read."""
    return name.endswith((".py", ".dist-info/entry_points.txt"))


class Import(NamedTuple):
    """A module, leading dots included, and the names that are taken from it."""

    module: str
    names: tuple[str, ...] = ()


class Wheel:
    """The import graph of one wheel, as far as its texts tell."""

    def __init__(self, package: Package) -> None:
        self._texts = package.texts
        # Every path without its endings, so that a compiled module counts under its name.
        self._held = {name[:at] for name in package.names for at in _slashes(name)}
        for folder, file in map(posixpath.split, package.names):
            self._held.add(posixpath.join(folder, file.partition(".")[0]))
        self._searches = 0
        self._imports: dict[str, tuple[Import, ...]] = {}

    def certain(self) -> Iterator[tuple[str, str]]:
        """Yield (file, module) for what is missing on the way from where the wheel is entered."""
        waiting = list(self._roots())
        for name, module in self._commands():
            files, missing = self._wanted(Import(module), name)
            waiting += files
            yield from ((name, each) for each in missing)
        seen = set()
        while waiting:
            name = waiting.pop()
            if name in seen or _SKIPPED.search(name):
                continue
            seen.add(name)
            for each in self._imports_of(name):
                files, missing = self._wanted(each, name)
                waiting += files
                yield from ((name, module) for module in missing)

    def doubtful(self) -> Iterator[tuple[str, str]]:
        """Yield (file, module) for what any file of the wheel lacks."""
        for name in self._texts:
            if name.endswith(".py") and not _SKIPPED.search(name):
                for each in self._imports_of(name):
                    yield from ((name, module) for module in self._wanted(each, name)[1])

    def _roots(self) -> Iterator[str]:
        for name in self._texts:
            folder, _, file = name.rpartition("/")
            if file.endswith(".py") and (
                not folder or (file == "__init__.py" and "/" not in folder)
            ):
                yield name

    def _commands(self) -> Iterator[tuple[str, str]]:
        for name, text in self._texts.items():
            if name.endswith(".dist-info/entry_points.txt"):
                for section in _COMMANDS.finditer(text):
                    yield from ((name, match[1]) for match in _COMMAND.finditer(section[1]))

    def _imports_of(self, name: str) -> tuple[Import, ...]:
        if name not in self._imports:
            self._imports[name] = tuple(top_imports(self._texts[name]))
        return self._imports[name]

    def _wanted(self, wanted: Import, name: str) -> tuple[list[str], list[str]]:
        """Return the files that an import loads, and the modules that it certainly lacks."""
        dots = len(wanted.module) - len(wanted.module.lstrip("."))
        here = name.split("/")[:-1] if dots else []
        if dots > len(here):
            return [], []
        place = "/".join(here[: len(here) - dots + 1]) if dots else ""
        files: list[str] = []
        for part in filter(None, wanted.module[dots:].split(".")):
            inner = f"{place}/{part}".lstrip("/")
            if inner not in self._held:
                lacks = bool(place) and self._makes_no_modules(place, part)
                return files, [inner.replace("/", ".")] if lacks else []
            files += self._texts_of(inner)
            place = inner
        missing = [n for n in wanted.names if place and self._gives_no_name(place, n)]
        for inner in (f"{place}/{name}" for name in wanted.names):
            files += self._texts_of(inner)
        return files, [f"{place}/{each}".replace("/", ".") for each in missing]

    def _texts_of(self, inner: str) -> list[str]:
        return [f for f in (f"{inner}/__init__.py", f"{inner}.py") if f in self._texts]

    def _makes_no_modules(self, place: str, part: str) -> bool:
        self._searches += 1
        if self._searches > PACKAGE_SEARCHES_MAX:
            return False
        own = self._texts.get(f"{place}/__init__.py")
        if own is None or any(mark in own for mark in _DYNAMIC):
            return False
        return not any(part in text for text in self._dynamic_texts)

    def _gives_no_name(self, place: str, name: str) -> bool:
        """Return whether a name can be nothing in a package but a module, and there is none."""
        if f"{place}/{name}" in self._held or not self._makes_no_modules(place, name):
            return False
        own = self._texts[f"{place}/__init__.py"]
        made = name in own or any(mark in own for mark in _MAKES_NAMES)
        return not made and not name.startswith("__")

    @cached_property
    def _dynamic_texts(self) -> list[str]:
        return [t for t in self._texts.values() if any(mark in t for mark in _DYNAMIC)]


def _slashes(name: str) -> Iterator[int]:
    return (at for at, letter in enumerate(name) if letter == "/")


def top_imports(text: str) -> Iterator[Import]:
    """Yield each import that stands in no block.

    Only tokens are looked at: the text may be of a newer Python than the one that reads it.
    """
    at = [match.start() for match in _AT_MARGIN.finditer(text)]
    last_row = text.count("\n", 0, at[-1]) + 1 if at else 0
    try:
        for words in _statements(text, last_row):
            if words[:1] == ["raise"]:
                return
            yield from _imported(words)
    except (tokenize.TokenError, SyntaxError):
        return  # a file that is no Python is the compiler's matter


def _statements(text: str, last_row: int) -> Iterator[list[str]]:
    """Yield the words of the statements at the margin that begin in the rows up to the last."""
    words: list[str] = []
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if not words and token.start[0] > last_row:
            return
        depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if token.type == tokenize.NEWLINE:
            if depth == 0:
                yield words
            words = []
        elif token.type in (tokenize.NAME, tokenize.OP):
            words.append(token.string)


def _imported(words: list[str]) -> Iterable[Import]:
    if words[:1] == ["from"] and "import" in words:
        at = words.index("import")
        names = " ".join(words[at + 1 :]).strip("() ").split(" , ")
        # 'a as b ;' and what else may follow: the first word is the name.
        return [Import("".join(words[1:at]), tuple(n.split(" ")[0] for n in names if n != "*"))]
    if words[:1] == ["import"]:
        modules = " ".join(words[1:]).replace(" . ", ".").split(" , ")
        return [Import(module.partition(" ")[0]) for module in modules]
    return []
