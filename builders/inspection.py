"""Order an inspection, and check what came back as the hostile document that it is.

The inspector runs where hostile bytes are parsed; whoever breaks it writes its document. So every
field has its type, its length and its number checked here, and unknown fields are dropped. What
passes is still the deposit's word about itself, only well-formed.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from builders.errors import InspectionInvalid
from builders.inspector import bounds
from builders.inspector.inspecting import FORMAT
from builders.orders import (
    InspectedPart,
    Inspection,
    ManifestEntry,
    MarkerFile,
    Observation,
    PartInput,
)

# The whole document: every bounded piece at its bound, twice.
DOCUMENT_BYTES_MAX = 96 * bounds.MIB

# Nesting of the document: an escrow.toml or marker file needs ten; Python's parser would recurse.
DEPTH_MAX = 40

# A larger part that no build reads is not stored in the workspace, only looked at in passing.
STORED_BYTES_MAX = 256 * bounds.MIB
_BUILD_READS = frozenset(("source", "artifacts", "environment"))

_FRAME_BYTES = 1 * bounds.MIB
_LENGTH = struct.Struct(">I")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SWHID = re.compile(r"swh:1:dir:[0-9a-f]{40}")
_MODES = frozenset(("100644", "100755", "120000", "160000", "40000"))
_KINDS = re.compile(r"[a-z0-9-]{1,40}")
_SIZE_MAX = 2**62
_PATH_CHARACTERS_MAX = 2 * bounds.PATH_BYTES_MAX
_OBSERVATIONS_MAX = 50_000
_PARTS_MAX = 10_000

Json = Mapping[str, object]


def frames(order: Json, parts: Iterable[PartInput]) -> Iterator[bytes]:
    """Yield the inspector's standard input: the order, then each part as it streams.

    Args:
        order: what is to be done; see :mod:`builders.inspector`.
        parts: the parts with their plaintext; each stream is read once.
    """
    every = list(parts)
    yield _frame(json.dumps(order).encode())
    for part, place in zip(every, places(every), strict=True):
        header = {
            "name": part.name,
            "kind": part.kind,
            "media": part.media,
            "place": place,
            "store": is_stored(part),
            "commit": part.commit,
        }
        yield _frame(json.dumps(header).encode())
        for chunk in part.stream:
            for start in range(0, len(chunk), _FRAME_BYTES):
                yield _frame(chunk[start : start + _FRAME_BYTES])
        yield _frame(b"")
    yield _frame(b"")


def _frame(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def is_stored(part: PartInput) -> bool:
    """Return whether a part is unpacked into the workspace: a build may read it, or it is small."""
    if part.kind in _BUILD_READS:
        return True
    return part.size_bytes is not None and part.size_bytes <= STORED_BYTES_MAX


def places(parts: Sequence[PartInput]) -> list[str]:
    """Return where each part goes: one source at ``src``, several below it, the rest in ``parts``.

    Names of parts become folder names of a plain alphabet; equal ones are numbered.
    """
    sources = sum(part.kind == "source" for part in parts)
    taken: set[str] = set()
    found = []
    for part in parts:
        folder = "src" if part.kind == "source" else "parts"
        place = folder if part.kind == "source" and sources == 1 else f"{folder}/{_slug(part.name)}"
        unique, number = place, 1
        while unique in taken:
            number += 1
            unique = f"{place}-{number}"
        taken.add(unique)
        found.append(unique)
    return found


def _slug(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("/")[2]).strip(".-")
    return plain[:100] or "part"


def parse_inspection(document: bytes) -> Inspection:
    """Return the inspection that a document states, every field checked.

    Raises:
        InspectionInvalid: it is no document of an inspection.
    """
    data = _loaded(document)
    if data.get("format") != FORMAT:
        raise InspectionInvalid("it has another format")
    parts = tuple(_part(row) for row in _rows(data, "parts", _PARTS_MAX))
    recipe = data.get("recipe")
    problem = data.get("recipe_problem")
    newest = data.get("newest_mtime")
    return Inspection(
        parts=parts,
        entries=_entries(data, {part.name for part in parts}),
        observations=tuple(_seen(r) for r in _rows(data, "observations", _OBSERVATIONS_MAX)),
        markers=tuple(_marker(row) for row in _rows(data, "markers", bounds.MARKERS_MAX)),
        recipe=_mapping(recipe) if recipe is not None else None,
        recipe_problem=_text(problem, bounds.TEXT_CHARACTERS_MAX) if problem is not None else None,
        recipe_directory=_recipe_directory(data.get("recipe_path"), parts),
        newest_mtime=_number(newest) if newest is not None else None,
        entries_cut=data.get("entries_cut") is True,
    )


def parse_document(document: bytes, expected_format: str) -> Json:
    """Return another of the inspector's documents, bounded in size and depth.

    Raises:
        InspectionInvalid: it is none.
    """
    data = _loaded(document)
    if data.get("format") != expected_format:
        raise InspectionInvalid("it has another format")
    return data


def _loaded(document: bytes) -> Json:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise InspectionInvalid("it is too long")
    try:
        return _mapping(_sound(json.loads(document), 0))
    except (ValueError, RecursionError) as error:
        raise InspectionInvalid("it is no JSON") from error


def _sound(value: object, depth: int) -> object:
    """Return JSON data whose depth is bounded and whose texts can be stored and shown."""
    if depth > DEPTH_MAX:
        raise InspectionInvalid("it nests too deeply")
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_sound(inner, depth + 1) for inner in value]
    if isinstance(value, dict):
        return {str(_sound(k, depth)): _sound(inner, depth + 1) for k, inner in value.items()}
    return value


def _mapping(value: object) -> Json:
    if not isinstance(value, dict):
        raise InspectionInvalid("a table is missing")
    return value


def _rows(data: Json, name: str, limit: int) -> list[object]:
    value = data.get(name)
    if not isinstance(value, list) or len(value) > limit:
        raise InspectionInvalid(f"'{name}' is no list, or too long")
    return value


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise InspectionInvalid("a text is missing or too long")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _SIZE_MAX:
        raise InspectionInvalid("a number is missing or out of range")
    return value


def _matching(value: object, form: re.Pattern[str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InspectionInvalid("an identifier has another form")
    return value


def _part(row: object) -> InspectedPart:
    data = _mapping(row)
    place = data.get("place")
    return InspectedPart(
        name=_text(data.get("name"), _PATH_CHARACTERS_MAX),
        kind=_text(data.get("kind"), 40),
        media=_text(data.get("media"), 40),
        files=_number(data.get("files")),
        total_bytes=_number(data.get("total_bytes")),
        root_swhid=_matching(data.get("root_swhid"), _SWHID),
        commit=_matching(data.get("commit"), _GIT_ID),
        place=_text(place, _PATH_CHARACTERS_MAX) if place is not None else None,
    )


def _entries(data: Json, names: set[str]) -> tuple[ManifestEntry, ...]:
    tables = _mapping(data.get("entries"))
    if set(tables) != names:
        raise InspectionInvalid("its manifests are not those of its parts")
    found: list[ManifestEntry] = []
    for part, rows in tables.items():
        if not isinstance(rows, list) or len(found) + len(rows) > bounds.ENTRIES_MAX:
            raise InspectionInvalid("a manifest is no list, or too long")
        found.extend(_entry(part, row) for row in rows)
    return tuple(found)


def _entry(part: str, row: object) -> ManifestEntry:
    if not isinstance(row, list) or len(row) != 5 or row[1] not in _MODES:
        raise InspectionInvalid("a row of a manifest has another form")
    path, mode, size, sha256, git_id = row
    identity = _matching(git_id, _GIT_ID)
    is_content = mode in ("100644", "100755", "120000")
    return ManifestEntry(
        part=part,
        path=_text(path, _PATH_CHARACTERS_MAX),
        mode=mode,
        size_bytes=_number(size),
        sha256=_matching(sha256, _SHA256),
        swhid=f"swh:1:cnt:{identity}" if identity and is_content else identity,
    )


def _seen(row: object) -> Observation:
    data = _mapping(row)
    facts = _mapping(data.get("facts"))
    if len(facts) > 10:
        raise InspectionInvalid("an observation has too many facts")
    return Observation(
        kind=_matching(data.get("kind"), _KINDS) or "",
        part=_text(data.get("part"), _PATH_CHARACTERS_MAX),
        path=_text(data.get("path"), _PATH_CHARACTERS_MAX),
        facts={name: _text(value, bounds.FACT_CHARACTERS_MAX) for name, value in facts.items()},
    )


def _marker(row: object) -> MarkerFile:
    data = _mapping(row)
    return MarkerFile(_text(data.get("path"), _PATH_CHARACTERS_MAX), _mapping(data.get("parsed")))


def _recipe_directory(path: object, parts: Sequence[InspectedPart]) -> str:
    """Return the folder of the recipe below the source; '' for one that lies elsewhere."""
    if path is None:
        return ""
    folder = _text(path, _PATH_CHARACTERS_MAX).rpartition("/")[0]
    sources = {part.place for part in parts if part.kind == "source"}
    return folder.removeprefix("src").strip("/") if folder in sources else ""
