"""The table of marker files: what lies in a folder, and what that says about building it.

Ranks follow how specific a marker is: the lowest of an ecosystem counts in a folder. A *weak* rule
holds only where nothing else does: a Makefile beside a package is its task runner, and a Dockerfile
says how something is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Facts = Mapping[str, object]
Folder = Mapping[str, Facts]
"""The marker files of one folder: name → what was parsed of it."""

NAME_ENDINGS = "*"

# The style of what another package manager than npm locked, and its lock files.
FOREIGN = "foreign"
FOREIGN_NODE_LOCKS: Mapping[str, str] = {
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lockb": "bun",
    "bun.lock": "bun",
}


@dataclass(frozen=True)
class Rule:
    """One row. ``toolchain`` is what is told where the ecosystem is not offered."""

    ecosystem: str
    style: str
    marker: str
    rank: int
    offered: bool = False
    weak: bool = False
    toolchain: str = ""
    holds: Callable[[Folder], bool] = bool

    def marker_in(self, folder: Folder) -> str | None:
        """Return the marker of this rule that lies in a folder, when its condition holds too."""
        if self.marker.startswith(NAME_ENDINGS):
            ending = self.marker[1:]
            found = next((name for name in sorted(folder) if name.endswith(ending)), None)
        else:
            found = self.marker if self.marker in folder else None
        return found if found is not None and self.holds(folder) else None


def _flag(marker: str, name: str) -> Callable[[Folder], bool]:
    return lambda folder: bool(folder[marker].get(name))


def _is_python_package(folder: Folder) -> bool:
    parsed = folder["pyproject.toml"]
    return bool(parsed.get("has_project") or parsed.get("has_build_system"))


def is_node_tooling(folder: Folder) -> bool:
    """Return whether a package.json only gathers tools: nothing to build, ship or hold together."""
    parsed = folder["package.json"]
    scripts = parsed.get("scripts")
    builds = isinstance(scripts, Mapping) and "build" in scripts
    ships = bool(parsed.get("name")) and bool(parsed.get("version")) and not parsed.get("private")
    return not (builds or ships or parsed.get("dependencies") or parsed.get("workspaces"))


def _foreign_node(folder: Folder) -> bool:
    """There are dependencies, locked by another package manager than npm."""
    parsed = folder["package.json"]
    depends = bool(parsed.get("dependencies") or parsed.get("dev_dependencies"))
    npm = "package-lock.json" in folder or "npm-shrinkwrap.json" in folder
    return depends and not npm and foreign_node_lock(folder) is not None


def foreign_node_lock(folder: Folder) -> str | None:
    """Return the lock file by which a manager other than npm fixed a folder's dependencies."""
    return next((lock for lock in FOREIGN_NODE_LOCKS if lock in folder), None)


_BUILT_HERE = (
    Rule("python", "package", "pyproject.toml", 50, True, holds=_is_python_package),
    Rule("python", "package", "setup.py", 51, True),
    Rule("python", "package", "setup.cfg", 52, True, holds=_flag("setup.cfg", "has_metadata")),
    Rule("python", "application", "requirements.txt", 60, True),
    Rule("node", FOREIGN, "package.json", 49, False, toolchain="Node", holds=_foreign_node),
    Rule("node", "npm", "package.json", 50, True),
    Rule("cpp", "cmake", "CMakeLists.txt", 31, True, holds=_flag("CMakeLists.txt", "project")),
    Rule("cpp", "autotools", "configure.ac", 32, True),
    Rule("cpp", "autotools", "configure.in", 33, True),
    Rule("cpp", "configure", "configure", 34, True),
    Rule("cpp", "meson", "meson.build", 35, True),
    Rule("cpp", "make", "GNUmakefile", 90, True, weak=True),
    Rule("cpp", "make", "Makefile", 91, True, weak=True),
    Rule("cpp", "make", "makefile", 92, True, weak=True),
)

_OTHERS: tuple[tuple[str, str, str], ...] = (
    ("java", "pom.xml", "Java with Maven"),
    ("java", "build.gradle", "Java with Gradle"),
    ("java", "build.gradle.kts", "Java with Gradle"),
    ("java", "build.xml", "Java with Ant"),
    ("scala", "build.sbt", "Scala with sbt"),
    ("go", "go.mod", "Go"),
    ("rust", "Cargo.toml", "Rust with Cargo"),
    ("php", "composer.json", "PHP with Composer"),
    ("ruby", "Gemfile", "Ruby with Bundler"),
    ("ruby", "*.gemspec", "Ruby"),
    ("dotnet", "*.csproj", ".NET"),
    ("dotnet", "*.fsproj", ".NET"),
    ("dotnet", "*.vbproj", ".NET"),
    ("elixir", "mix.exs", "Elixir"),
    ("erlang", "rebar.config", "Erlang"),
    ("swift", "Package.swift", "Swift"),
    ("dart", "pubspec.yaml", "Dart or Flutter"),
    ("haskell", "stack.yaml", "Haskell with Stack"),
    ("haskell", "*.cabal", "Haskell with Cabal"),
    ("julia", "Project.toml", "Julia"),
    ("ocaml", "dune-project", "OCaml with Dune"),
    ("zig", "build.zig", "Zig"),
    ("gleam", "gleam.toml", "Gleam"),
    ("perl", "Makefile.PL", "Perl"),
    ("perl", "Build.PL", "Perl"),
    ("deno", "deno.json", "Deno"),
    ("deno", "deno.jsonc", "Deno"),
)
# Another way to build the same thing where an offered one stands beside or above it: many C
# libraries bring a solution for each version of another compiler.
_ALTERNATIVES: tuple[tuple[str, str, str], ...] = (
    ("bazel", "MODULE.bazel", "Bazel"),
    ("bazel", "WORKSPACE", "Bazel"),
    ("bazel", "BUILD.bazel", "Bazel"),
    ("scons", "SConstruct", "SCons"),
    ("waf", "wscript", "Waf"),
    ("xmake", "xmake.lua", "XMake"),
    ("python-pipenv", "Pipfile", "Python with Pipenv"),
    ("python-conda", "environment.yml", "Python with Conda"),
    ("dotnet", "*.sln", ".NET"),
    ("swift", "*.xcodeproj", "Xcode"),
    ("nix", "flake.nix", "Nix"),
    ("nix", "default.nix", "Nix"),
    ("r", "DESCRIPTION", "R"),
    ("docker", "Dockerfile", "a Dockerfile of its own"),
    ("docker", "Containerfile", "a Dockerfile of its own"),
)
RULES: tuple[Rule, ...] = (
    *_BUILT_HERE,
    *(Rule(name, name, marker, 55, toolchain=tool) for name, marker, tool in _OTHERS),
    *(
        Rule(name, name, marker, 95, weak=True, toolchain=tool)
        for name, marker, tool in _ALTERNATIVES
    ),
)
