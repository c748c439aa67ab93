"""What is offered here: builders by name and version, and what a wish resolves to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from builders.detection import Candidate
from builders.orders import Ecosystem

_SUITES = ("bookworm", "trixie")
# Versions as Debian has them; the first suite that fits is taken.
_VERSIONS: Mapping[Ecosystem, Mapping[str, str]] = {
    "python": {"3.11": "bookworm", "3.13": "trixie"},
    "node": {"18": "bookworm", "20": "trixie"},
    "cpp": {"12": "bookworm", "14": "trixie"},
}
_ALIASES: Mapping[str, Ecosystem] = {
    "python": "python",
    "python3": "python",
    "node": "node",
    "nodejs": "node",
    "cpp": "cpp",
    "c": "cpp",
    "c++": "cpp",
    "gcc": "cpp",
}
_CLAUSE = re.compile(r"(>=|<=|==|~=|!=|>|<)\s*3\.(\d{1,3})(\.\*|\.\d+)*\s*")


_NODE_CLAUSE = re.compile(r"(>=|<=|>|<|\^|~|=)?\s*v?(\d{1,4})((?:\.(?:\d{1,6}|[xX*]))*)")


@dataclass(frozen=True)
class Offer:
    """A builder that is offered."""

    ecosystem: Ecosystem
    suite: str


def offered_names() -> str:
    """Return every offered builder as a recipe names it, for a sentence."""
    return ", ".join(f"{name}@{version}" for name, row in _VERSIONS.items() for version in row)


def resolve_builder(wish: str) -> Offer | None:
    """Return the offer for ``python``, ``python@3.11`` or ``python@bookworm``; None for none."""
    name, _, version = wish.partition("@")
    ecosystem = _ALIASES.get(name)
    if ecosystem is None:
        return None
    if not version:
        return Offer(ecosystem, _SUITES[0])
    if version in _SUITES:
        return Offer(ecosystem, version)
    suite = _VERSIONS[ecosystem].get(version)
    return None if suite is None else Offer(ecosystem, suite)


def version_of(ecosystem: Ecosystem, suite: str) -> str:
    """Return the version of a builder on a Debian release, '' where there is none."""
    versions = _VERSIONS.get(ecosystem, {})
    return next((version for version, found in versions.items() if found == suite), "")


def offer_for(candidate: Candidate) -> Offer | None:
    """Return what builds a recognised component; None where nothing here does."""
    if not candidate.offered:
        return None
    if candidate.ecosystem == "python":
        return python_offer(requires_python(candidate))
    if candidate.ecosystem == "node":
        return node_offer(_engine(candidate))
    return resolve_builder(candidate.ecosystem)


def requires_python(candidate: Candidate) -> str:
    """Return which Pythons a component says it runs on; '' when it says nothing."""
    value = candidate.folder.get("pyproject.toml", {}).get("python")
    return value if isinstance(value, str) else ""


def python_offer(specifier: str) -> Offer | None:
    """Return the first offered Python that a ``requires-python`` allows; None for none.

    Only the forms that bound the minor version are read (PEP 440); others bound nothing here, and
    pip itself has the last word.
    """
    for version, suite in _VERSIONS["python"].items():
        if _allows(specifier, int(version.partition(".")[2])):
            return Offer("python", suite)
    return None


def _engine(candidate: Candidate) -> str:
    value = candidate.folder.get("package.json", {}).get("engine")
    return value if isinstance(value, str) else ""


def node_offer(engine: str) -> Offer:
    """Return the first offered Node that ``engines.node`` allows; the newest where none is.

    npm itself only warns of an engine that does not fit, so this never refuses: the build has the
    last word. Only major versions are compared, as Debian keeps one line of each.
    """
    offered = _VERSIONS["node"]
    fitting = [suite for major, suite in offered.items() if _runs_on(engine, int(major))]
    return Offer("node", (fitting or list(offered.values())[-1:])[0])


def _runs_on(engine: str, major: int) -> bool:
    alternatives = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", engine).split("||")
    return any(
        all(_holds(clause, major) for clause in _NODE_CLAUSE.finditer(alternative))
        for alternative in alternatives
    )


def _holds(clause: re.Match[str], major: int) -> bool:
    """Return whether one comparison of the range allows some version of a major."""
    sign, number, has_rest = clause[1], int(clause[2]), bool(clause[3].strip(".0xX*"))
    if sign == ">=":
        return major >= number
    if sign == ">":
        return major > number or (has_rest and major == number)
    if sign == "<":
        return major < number or (has_rest and major == number)
    return major <= number if sign == "<=" else major == number


def _allows(specifier: str, minor: int) -> bool:
    for clause in specifier.split(","):
        match = _CLAUSE.fullmatch(clause.strip())
        if match is None:
            continue
        sign, bound, rest = match[1], int(match[2]), match[3] or ""
        allowed = {
            ">=": minor >= bound,
            ">": minor > bound or bool(rest),
            "<=": minor <= bound,
            "<": minor < bound,
            "==": minor == bound,
            "~=": minor == bound if rest else minor >= bound,
            "!=": minor != bound or not rest.endswith("*"),
        }
        if not allowed[sign]:
            return False
    return True
