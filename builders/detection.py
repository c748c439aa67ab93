"""From marker files to components: what is built where, and because of which file.

Pure. Detection only drafts a recipe; it never decides that something is complete. Where it finds
something that is not offered here it says so, and leaves nothing out silently.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from builders.detection_rules import (
    FOREIGN,
    FOREIGN_NODE_LOCKS,
    RULES,
    Facts,
    Folder,
    Rule,
    foreign_node_lock,
    is_node_tooling,
)
from builders.orders import MarkerFile

# Building systems that a Python package calls itself; what lies beside it belongs to the package.
_NATIVE_ECOSYSTEMS = frozenset(("cpp",))


@dataclass(frozen=True)
class Candidate:
    """One component as recognised. ``folder`` are the marker files that lie beside it.

    ``manager`` names the package manager that locked its dependencies, where that is not offered.
    """

    name: str
    directory: str
    ecosystem: str
    style: str
    because: str
    offered: bool
    toolchain: str
    folder: Folder
    manager: str = ""


def folders_of(markers: Iterable[MarkerFile]) -> dict[str, dict[str, Facts]]:
    """Return the marker files by folder."""
    found: dict[str, dict[str, Facts]] = defaultdict(dict)
    for marker in markers:
        folder, _, name = marker.path.rpartition("/")
        found[folder][name] = marker.parsed or {}
    return found


def detect(markers: Iterable[MarkerFile]) -> tuple[Candidate, ...]:
    """Return every component that the marker files speak of, those above before those below."""
    folders = folders_of(markers)
    # A package.json that only gathers tools must hide nothing below it; it counts when alone.
    chosen = _chosen(folders, count_tooling=False) or _chosen(folders, count_tooling=True)
    names = _names([(directory, rule.ecosystem) for directory, rule, _ in chosen])
    return tuple(
        Candidate(
            name=name,
            directory=directory,
            ecosystem=rule.ecosystem,
            style=rule.style,
            because=f"{directory}/{_evidence(rule, marker, folders[directory])}".lstrip("/"),
            offered=rule.offered,
            toolchain=rule.toolchain,
            folder=folders[directory],
            manager=_manager(rule, folders[directory]),
        )
        for name, (directory, rule, marker) in zip(names, chosen, strict=True)
    )


def _chosen(folders: Mapping[str, Folder], count_tooling: bool) -> list[tuple[str, Rule, str]]:
    found: list[tuple[str, Rule, str]] = []
    for directory in sorted(folders, key=_shallow_first):
        folder = folders[directory]
        above = [rule for where, rule, _ in found if _is_below(directory, where)]
        for rule, marker in _candidates(folder):
            tooling = rule.ecosystem == "node" and is_node_tooling(folder)
            if _is_own(rule, above) and (count_tooling or not tooling):
                found.append((directory, rule, marker))
    return found


def _shallow_first(directory: str) -> tuple[int, str]:
    return (directory.count("/") + bool(directory), directory)


def style_at(folder: Folder, ecosystem: str) -> Candidate | None:
    """Return how a folder would be built in a given ecosystem, for a recipe without commands."""
    for rule in sorted(RULES, key=lambda rule: rule.rank):
        if rule.ecosystem == ecosystem and rule.offered and (marker := rule.marker_in(folder)):
            return Candidate(
                name="",
                directory="",
                ecosystem=ecosystem,
                style=rule.style,
                because=marker,
                offered=True,
                toolchain="",
                folder=folder,
            )
    return None


def _candidates(folder: Folder) -> list[tuple[Rule, str]]:
    """Return the rules that hold in one folder: the lowest rank of each ecosystem, cleared up."""
    best: dict[str, tuple[Rule, str]] = {}
    for rule in sorted(RULES, key=lambda rule: rule.rank):
        if rule.ecosystem not in best and (marker := rule.marker_in(folder)) is not None:
            best[rule.ecosystem] = (rule, marker)
    strong = {name for name, (rule, _) in best.items() if not rule.weak}
    if "node" in strong and len(strong) > 1 and is_node_tooling(folder):
        del best["node"]
    rows = list(best.values())
    if strong:
        rows = [row for row in rows if not row[0].weak]
    if "cpp" in strong and best.get("python", rows[0])[0].style == "application":
        rows = [row for row in rows if row[0].ecosystem != "python"]  # its tools' requirements
    elif best.keys() & {"python", "node"}:
        rows = [row for row in rows if row[0].ecosystem not in _NATIVE_ECOSYSTEMS]
    if any(rule.offered for rule, _ in rows):
        rows = [row for row in rows if not row[0].weak or row[0].offered]
    return rows


def _is_own(rule: Rule, above: Sequence[Rule]) -> bool:
    """Return whether it is a component of its own, and no member of one that lies above."""
    if any(other.ecosystem == rule.ecosystem for other in above):
        return False
    if rule.style == "application":  # below a C project, these are the requirements of its tools
        return not any(other.ecosystem in _NATIVE_ECOSYSTEMS for other in above)
    return not (above and rule.weak)


def _is_below(directory: str, other: str) -> bool:
    return other == "" or directory == other or directory.startswith(other + "/")


def _manager(rule: Rule, folder: Folder) -> str:
    lock = foreign_node_lock(folder) if rule.style == FOREIGN else None
    return FOREIGN_NODE_LOCKS[lock] if lock else ""


def _evidence(rule: Rule, marker: str, folder: Folder) -> str:
    """Return the file that decided: where another manager locked, its lock file."""
    return (foreign_node_lock(folder) if rule.style == FOREIGN else None) or marker


def _names(places: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each component: its folder's, or its ecosystem's at the root; unique."""
    taken: set[str] = set()
    found = []
    for directory, ecosystem in places:
        stem = re.sub(r"[^a-z0-9._-]+", "-", directory.rpartition("/")[2].lower()).strip("-._")
        name = (stem or ecosystem)[:50]
        if name in taken:
            name = f"{name}-{ecosystem}"
        number = 2
        while name in taken:
            name, number = f"{name}-{number}", number + 1
        taken.add(name)
        found.append(name)
    return found


def dependencies_of(folder: Folder) -> tuple[str, ...]:
    """Return the requirements of a Python folder as declared, those without a marker.

    A line with an environment marker (``; python_version < …``) may not apply, so it is left out.
    """
    lines: list[str] = []
    for marker in ("pyproject.toml", "setup.cfg"):
        lines += _lines(folder.get(marker, {}), "dependencies")
    if not lines:
        lines = _lines(folder.get("requirements.txt", {}), "lines")
    return tuple(dict.fromkeys(line for line in lines if requirement_name(line) is not None))


def build_requirements_of(folder: Folder) -> tuple[str, ...]:
    """Return the requirements of a Python project's build system, as written."""
    return tuple(_lines(folder.get("pyproject.toml", {}), "requires"))


def declares_build_system(folder: Folder) -> bool:
    """Return whether a Python project names its build system, whatever it requires."""
    return bool(folder.get("pyproject.toml", {}).get("has_build_system"))


def requirement_name(line: str) -> str | None:
    """Return the normal name of the distribution that a requirement line asks for."""
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[|[<>=!~(]|$|@)", line)
    if ";" in line or line.startswith("-") or match is None:
        return None
    return re.sub(r"[-_.]+", "-", match[1]).lower()


def _lines(parsed: Mapping[str, object], key: str) -> list[str]:
    value = parsed.get(key)
    return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []
