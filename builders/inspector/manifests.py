"""Parse the files that say how something is built, as far as detection asks.

Only data formats are read (TOML, JSON, INI, lines); nothing is evaluated. What cannot be parsed is
reported as ``{"problem": …}``; no file can stop the inspection.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from builders.inspector.bounds import (
    LISTED_MAX,
    LOCKED_DIGEST_CHARACTERS_MAX,
    LOCKED_MAX,
    LOCKED_NAME_CHARACTERS_MAX,
    LOCKED_VERSION_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
)

Parsed = dict[str, Any]

_MAKE_TARGET = re.compile(r"^([A-Za-z0-9_.-]+)[ \t]*:(?![=:])", re.MULTILINE)
_CARET = re.compile(r"\^([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})")
_BOUNDS = re.compile(r"(?:[<>=!~]=|[<>])[0-9.*]{1,50}(?:, ?(?:[<>=!~]=|[<>])[0-9.*]{1,50}){0,9}")
_CMAKE_PROJECT = re.compile(r"^[ \t]*project[ \t]*\(", re.MULTILINE | re.IGNORECASE)
_CMAKE_INSTALL = re.compile(r"^[ \t]*install[ \t]*\(", re.MULTILINE | re.IGNORECASE)


def _text(value: object) -> str | None:
    return value[:TEXT_CHARACTERS_MAX] if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    items: Iterable[object] = value if isinstance(value, list) else ()
    return [text for item in items if (text := _text(item)) is not None][:LISTED_MAX]


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> list[str]:
    return [name[:TEXT_CHARACTERS_MAX] for name in _table(value)][:LISTED_MAX]


def _package_json(text: str) -> Parsed:
    data = _table(json.loads(text))
    scripts = {name: line for name, line in _table(data.get("scripts")).items() if _text(line)}
    return {
        "name": _text(data.get("name")),
        "version": _text(data.get("version")),
        "private": data.get("private") is True,
        "scripts": {name[:100]: _text(scripts[name]) for name in list(scripts)[:100]},
        "dependencies": _names(data.get("dependencies")),
        "dev_dependencies": _names(data.get("devDependencies")),
        "workspaces": "workspaces" in data,
        "package_manager": _text(data.get("packageManager")),
        "engine": _text(_table(data.get("engines")).get("node")),
    }


def _package_lock(text: str) -> Parsed:
    data = _table(json.loads(text))
    packages = _table(data.get("packages")) or _table(data.get("dependencies"))
    fetched = [name for name, row in packages.items() if name and not _table(row).get("link")]
    locked = list(_locked(data))
    return {
        "packages": len(fetched),
        "locked": locked[:LOCKED_MAX],
        "locked_cut": len(locked) > LOCKED_MAX,
    }


def _locked(data: Mapping[str, Any]) -> Iterable[list[str]]:
    """Yield name, version and digests of what npm's lock file has fetched, in its own words."""
    packages = _table(data.get("packages"))
    if packages:
        # Versions 2 and 3: by place. What lies in no node_modules is the product's own.
        for place, row in packages.items():
            _, inside, name = place.rpartition("node_modules/")
            if inside and not _table(row).get("link"):
                yield from _locked_row(_text(_table(row).get("name")) or name, _table(row))
    else:
        yield from _locked_below(_table(data.get("dependencies")))


def _locked_below(dependencies: Mapping[str, Any]) -> Iterable[list[str]]:
    """Yield the rows of a lock file of version 1, whose packages lie within each other."""
    for name, row in dependencies.items():
        yield from _locked_row(name, _table(row))
        yield from _locked_below(_table(_table(row).get("dependencies")))


def _locked_row(name: str, row: Mapping[str, Any]) -> Iterable[list[str]]:
    version, digests = row.get("version"), row.get("integrity", "")
    if (
        isinstance(version, str)
        and isinstance(digests, str)
        and len(name) <= LOCKED_NAME_CHARACTERS_MAX
        and len(version) <= LOCKED_VERSION_CHARACTERS_MAX
        and len(digests) <= LOCKED_DIGEST_CHARACTERS_MAX
    ):
        yield [name, version, digests]


def _pyproject(text: str) -> Parsed:
    data = tomllib.loads(text)
    project, system = _table(data.get("project")), _table(data.get("build-system"))
    poetry = _table(_table(data.get("tool")).get("poetry"))
    return {
        "has_project": bool(project) or bool(poetry),
        "has_build_system": bool(system),
        "backend": _text(system.get("build-backend")),
        "requires": _texts(system.get("requires")),
        "name": _text(project.get("name")) or _text(poetry.get("name")),
        "dependencies": _texts(project.get("dependencies"))
        or _poetry_dependencies(_table(poetry.get("dependencies"))),
        "python": _text(project.get("requires-python")),
        "tools": _names(data.get("tool")),
    }


def _poetry_dependencies(table: Mapping[str, Any]) -> list[str]:
    """Return Poetry's own table as requirement lines; what may not apply is left out."""
    found = []
    for name, wish in table.items():
        wished = wish.get("version", "") if isinstance(wish, dict) else wish
        extra = isinstance(wish, dict) and set(wish) - {"version", "extras"}
        if name.lower() != "python" and isinstance(wished, str) and not extra:
            found.append((name + _of_caret(wished))[:TEXT_CHARACTERS_MAX])
    return found[:LISTED_MAX]


def _of_caret(wish: str) -> str:
    """Return ``^1.2`` as ``>=1.2,<2``; what is no such and no plain bound names no version."""
    match = _CARET.fullmatch(wish.strip())
    if match is None:
        return wish.replace(" ", "") if _BOUNDS.fullmatch(wish) else ""
    numbers = match[1].split(".")
    first = next((at for at, text in enumerate(numbers) if int(text)), len(numbers) - 1)
    upper = [*numbers[:first], str(int(numbers[first]) + 1)]
    return f">={match[1]},<{'.'.join(upper)}"


def _setup_cfg(text: str) -> Parsed:
    data = configparser.ConfigParser(interpolation=None, strict=False)
    data.read_string(text)
    needed = data.get("options", "install_requires", fallback="").splitlines()
    return {
        "has_metadata": data.has_section("metadata"),
        "dependencies": [line.strip() for line in needed if line.strip()][:LISTED_MAX],
    }


def _requirements(text: str) -> Parsed:
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    return {"lines": [ln[:200] for ln in lines if ln and not ln.startswith("#")][:LISTED_MAX]}


def _makefile(text: str) -> Parsed:
    return {
        "targets": [name[:100] for name in dict.fromkeys(_MAKE_TARGET.findall(text))][:LISTED_MAX],
        "destdir": "DESTDIR" in text,
    }


def _cmake(text: str) -> Parsed:
    return {
        "project": bool(_CMAKE_PROJECT.search(text)),
        "install": bool(_CMAKE_INSTALL.search(text)),
    }


def _present(text: str) -> Parsed:
    return {"characters": len(text)}


PARSERS: Mapping[str, Callable[[str], Parsed]] = {
    "package.json": _package_json,
    "package-lock.json": _package_lock,
    "npm-shrinkwrap.json": _package_lock,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "Makefile": _makefile,
    "makefile": _makefile,
    "GNUmakefile": _makefile,
    "CMakeLists.txt": _cmake,
}
_REQUIREMENTS = re.compile(r"requirements[A-Za-z0-9_.-]*\.(txt|in)")
LOCKFILES = frozenset(("package-lock.json", "npm-shrinkwrap.json"))

# Recognised by being there: what they say is not read.
_PRESENT_NAMES = """
    setup.py Pipfile Pipfile.lock poetry.lock uv.lock pdm.lock environment.yml tox.ini
    yarn.lock pnpm-lock.yaml bun.lockb bun.lock deno.json deno.jsonc binding.gyp
    configure configure.ac configure.in Makefile.am Makefile.in autogen.sh bootstrap
    meson.build BUILD.bazel WORKSPACE MODULE.bazel
    pom.xml build.gradle build.gradle.kts settings.gradle settings.gradle.kts build.xml build.sbt
    go.mod Cargo.toml composer.json Gemfile mix.exs rebar.config Package.swift pubspec.yaml
    stack.yaml cabal.project Project.toml DESCRIPTION Rakefile dune-project build.zig gleam.toml
    Dockerfile Containerfile docker-compose.yml docker-compose.yaml compose.yaml compose.yml
    flake.nix default.nix SConstruct wscript xmake.lua Makefile.PL Build.PL
"""
PRESENT = frozenset(_PRESENT_NAMES.split())
PRESENT_ENDINGS = (".csproj", ".fsproj", ".vbproj", ".sln", ".cabal", ".gemspec", ".xcodeproj")


def is_marker(name: str) -> bool:
    """Return whether a file of this name says how something is built."""
    if name in PARSERS or name in PRESENT or name.endswith(PRESENT_ENDINGS):
        return True
    return bool(_REQUIREMENTS.fullmatch(name))


def parse_marker(name: str, content: bytes) -> Parsed:
    """Return what detection needs of a marker file; never raises for its content."""
    parse = PARSERS.get(name) or (_requirements if _REQUIREMENTS.fullmatch(name) else _present)
    try:
        return parse(content.decode("utf-8-sig"))
    except (ValueError, configparser.Error, RecursionError) as error:
        return {"problem": str(error)[:TEXT_CHARACTERS_MAX]}
