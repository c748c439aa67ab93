"""Ask the inspector what a build left, and check its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from builders.errors import InspectionInvalid
from builders.inspection import parse_document
from builders.inspector.bounds import ARTIFACTS_MAX, INCOMPLETE_MAX, MISSING_MAX
from builders.inspector.collecting import FORMAT
from builders.orders import Artifact, ComponentPlan

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PATH_CHARACTERS_MAX = 8_192


@dataclass(frozen=True)
class Incomplete:
    """A built package and the modules of its own that it lacks; the doubtful may not be needed."""

    path: str
    certain: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collected:
    """What a build left. ``missing`` are the recipe's patterns that matched nothing."""

    artifacts: tuple[Artifact, ...]
    missing: tuple[str, ...]
    incomplete: tuple[Incomplete, ...] = ()


def collection_order(component: ComponentPlan) -> Mapping[str, object]:
    """Return the inspector's order for one component's results."""
    return {
        "mode": "collect",
        "out": f"out/{component.name}",
        "folders": [f"src/{component.directory}".rstrip("/"), f"build/{component.name}"],
        "patterns": list(component.artifacts),
    }


def parse_collected(document: bytes) -> Collected:
    """Return the results that a document states.

    Raises:
        InspectionInvalid: it is no such document.
    """
    data = parse_document(document, FORMAT)
    rows, missing = data.get("artifacts"), data.get("missing")
    if not isinstance(rows, list) or not isinstance(missing, list) or len(rows) > ARTIFACTS_MAX:
        raise InspectionInvalid("its lists of results are missing or too long")
    return Collected(
        artifacts=tuple(_artifact(row) for row in rows),
        missing=tuple(text for text in missing if isinstance(text, str)),
        incomplete=_incomplete(data.get("incomplete")),
    )


def _incomplete(rows: object) -> tuple[Incomplete, ...]:
    if not isinstance(rows, list) or len(rows) > INCOMPLETE_MAX:
        raise InspectionInvalid("its list of incomplete packages is missing or too long")
    return tuple(_package(row) for row in rows)


def _package(row: object) -> Incomplete:
    path = row.get("path") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(path, str) or len(path) > _PATH_CHARACTERS_MAX:
        raise InspectionInvalid("an incomplete package is not named")
    return Incomplete(path, _texts(row.get("certain")), _texts(row.get("doubtful")))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MISSING_MAX:
        raise InspectionInvalid("the modules that a package lacks are no list, or too many")
    return tuple(text for text in value if isinstance(text, str))


def _artifact(row: object) -> Artifact:
    if not isinstance(row, dict):
        raise InspectionInvalid("a result is no table")
    path, size, sha256 = row.get("path"), row.get("size_bytes"), row.get("sha256")
    if not isinstance(path, str) or len(path) > _PATH_CHARACTERS_MAX:
        raise InspectionInvalid("a result has no path")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InspectionInvalid("a result has no size")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InspectionInvalid("a result has no digest")
    return Artifact(path, size, sha256)
