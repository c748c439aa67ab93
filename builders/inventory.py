"""From what the inspector saw to findings: one for each kind and part, with a few examples.

Pure. It says what is there and what is not; whether the agreement's terms ask for it is decided by
the room that knows the terms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from builders.findings import Finding, listed
from builders.orders import InspectedPart, Inspection, Observation

_ByKind = dict[tuple[str, str], list[Observation]]

# Reported with a count and examples over one part.
_COUNTED_WITH_PART = {
    "name-unsafe": "E-UNPACK-UNSAFE-NAME",
    "special-file": "E-UNPACK-SPECIAL-FILE",
    "name-duplicate": "E-UNPACK-DUPLICATE",
}
# Reported with a count and examples, the part being of no interest.
_COUNTED = {
    "submodule-missing": "E-INVENTORY-SUBMODULE-MISSING",
    "lfs-pointer": "E-INVENTORY-LFS-POINTER",
    "name-collision": "E-INVENTORY-NAME-COLLISION",
    "name-odd": "E-INVENTORY-ODD-NAME",
    "link-outside": "E-INVENTORY-LINK-OUTSIDE",
    "encrypted": "E-INVENTORY-ENCRYPTED",
    "truncated": "E-INVENTORY-TRUNCATED",
}
# Reported for a part as a whole, from the observation's own facts.
_WHOLE_PART = {
    "unreadable": ("E-UNPACK-UNREADABLE", ("media", "problem")),
    "bomb": ("E-UNPACK-BOMB", ("problem",)),
    "too-large": ("E-UNPACK-TOO-LARGE", ("problem",)),
    "not-opened": ("E-UNPACK-FORMAT", ("media",)),
    "encrypted-part": ("E-INVENTORY-ENCRYPTED-PART", ("method",)),
    "truncated-part": ("E-INVENTORY-TRUNCATED-PART", ("problem",)),
}


def inventory_findings(inspection: Inspection) -> tuple[Finding, ...]:
    """Return what the inspection found, in the order of the registry's groups."""
    kinds = _by_kind(inspection)
    return (
        *_of_whole_parts(kinds),
        *_counted_by_part(kinds),
        *_counted(kinds),
        *_of_everything(inspection),
    )


def source_problems(inspection: Inspection) -> tuple[Finding, ...]:
    """Return why the source is not there as it was deposited, so that no build of it is tried."""
    sources = {part.name for part in inspection.parts if part.kind == "source"}
    codes = {code for code, _ in _WHOLE_PART.values()} | {"E-UNPACK-NO-SOURCE"}
    return tuple(
        finding
        for finding in inventory_findings(inspection)
        if finding.code in codes and finding.facts.get("part", "") in {*sources, ""}
    )


def _by_kind(inspection: Inspection) -> _ByKind:
    plain = {part.name for part in inspection.parts if _is_plain(part)}
    kinds: _ByKind = defaultdict(list)
    for seen in inspection.observations:
        # What is wrong with the only file of a part is wrong with the part.
        whole = seen.kind in ("encrypted", "truncated") and seen.part in plain
        kinds[f"{seen.kind}-part" if whole else seen.kind, seen.part].append(seen)
    return kinds


def _is_plain(part: InspectedPart) -> bool:
    return part.media == "file"


def _of_whole_parts(kinds: _ByKind) -> list[Finding]:
    found = []
    for (kind, part), observations in kinds.items():
        if kind in _WHOLE_PART:
            code, names = _WHOLE_PART[kind]
            facts = {name: observations[0].facts.get(name, "unknown") for name in names}
            found.append(Finding(code, {"part": part, **facts}))
    return found


def _counted_by_part(kinds: _ByKind) -> list[Finding]:
    return [
        Finding(
            _COUNTED_WITH_PART[kind],
            {"part": part, "count": _count(observations), "examples": _examples(observations)},
        )
        for (kind, part), observations in kinds.items()
        if kind in _COUNTED_WITH_PART
    ]


def _counted(kinds: _ByKind) -> list[Finding]:
    found = []
    for wanted, code in _COUNTED.items():
        every = [seen for (kind, _), rows in kinds.items() if kind == wanted for seen in rows]
        if every:
            found.append(Finding(code, {"count": _count(every), "examples": _examples(every)}))
    return found


def _of_everything(inspection: Inspection) -> list[Finding]:
    checks: Sequence[tuple[str, Callable[[Inspection], bool]]] = (
        ("E-UNPACK-NO-SOURCE", _has_no_source),
        ("E-INVENTORY-NO-DOCS", _has_no_docs),
    )
    found = [Finding(code) for code, applies in checks if applies(inspection)]
    if inspection.entries_cut:
        found.append(Finding("E-INVENTORY-CUT", {"count": str(len(inspection.entries))}))
    return found


def _has_no_source(inspection: Inspection) -> bool:
    return not any(part.kind == "source" and part.files for part in inspection.parts)


def _has_no_docs(inspection: Inspection) -> bool:
    if any(part.kind == "docs" and part.files for part in inspection.parts):
        return False
    return not any(seen.kind == "document" for seen in inspection.observations)


def _count(observations: Iterable[Observation]) -> str:
    return str(sum(int(_more(seen)) if _more(seen) else 1 for seen in observations))


def _examples(observations: Iterable[Observation]) -> str:
    return listed(seen.path for seen in observations if not _more(seen))


def _more(seen: Observation) -> str:
    """Return how many further ones this row stands for; '' when it is one itself."""
    more = seen.facts.get("more", "")
    return more if more.isdecimal() and len(more) < 12 else ""
