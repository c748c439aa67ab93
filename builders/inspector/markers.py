"""Find, in the source, what says how it is built, what it brings along, and its recipe."""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from builders.inspector.bounds import (
    LOCKFILE_BYTES_MAX,
    MARKER_BYTES_MAX,
    MARKER_DEPTH_MAX,
    MARKERS_MAX,
    RECIPE_BYTES_MAX,
)
from builders.inspector.manifests import LOCKFILES, is_marker, parse_marker
from builders.inspector.notes import Notes, path_text
from builders.inspector.swhid import EXECUTABLE, FILE, Entry

RECIPE_NAME = "escrow.toml"

# Below these lies somebody else's code, or none that the product is built from.
SKIPPED_FOLDERS = frozenset(
    b"node_modules vendor vendored third_party third-party 3rdparty deps bower_components "
    b"test tests testdata test-data fixtures __tests__ spec example examples sample samples "
    b"demo demos doc docs documentation benchmark benchmarks bench fuzz "
    b"contrib dist target site-packages __pycache__".split()
)

_DOCUMENT = re.compile(
    rb"(readme|install|building|contributing|changelog|changes|news|license|licence|copying|"
    rb"architecture|operations|runbook)(\.[a-z0-9.]+)?",
    re.IGNORECASE,
)
_DOCUMENT_FOLDERS = frozenset((b"doc", b"docs", b"documentation", b"manual"))
# A folder of Python distributions goes by one of these names, and holds at least one of these.
_PYPI_FOLDERS = frozenset((b"pypi", b"vendor", b"wheelhouse", b"wheels", b"deps"))
_DISTRIBUTION = re.compile(rb"([A-Za-z0-9._-]+?)-[0-9][^/]*\.(whl|tar\.gz|tar\.bz2|zip)")
_NPM_CACHE = b"_cacache"


def _skipped(folders: Sequence[bytes]) -> bool:
    return any(f.startswith(b".") or f.lower() in SKIPPED_FOLDERS for f in folders)


def find_markers(root: bytes, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return the marker files below a root, the shallow ones first, parsed."""
    found = []
    for entry in entries:
        *folders, name = entry.path.split(b"/")
        if entry.mode not in (FILE, EXECUTABLE) or len(folders) > MARKER_DEPTH_MAX:
            continue
        text = name.decode("utf-8", "replace")
        if is_marker(text) and not _skipped(folders):
            found.append((len(folders), entry.path, text, entry.size_bytes))
    found.sort()
    return [
        {"path": path_text(path), "parsed": _parsed(root, path, name, size)}
        for _, path, name, size in found[:MARKERS_MAX]
    ]


def _parsed(root: bytes, path: bytes, name: str, size: int) -> dict[str, Any]:
    if size > (LOCKFILE_BYTES_MAX if name in LOCKFILES else MARKER_BYTES_MAX):
        return {"problem": "the file is too large to be parsed"}
    with open(os.path.join(root, path), "rb") as file:
        return parse_marker(name, file.read(LOCKFILE_BYTES_MAX))


def note_documents(notes: Notes, part: str, entries: Iterable[Entry]) -> None:
    """Note the documents for people, near the top of a part."""
    for entry in entries:
        *folders, name = entry.path.split(b"/")
        in_folder = bool(folders) and folders[0].lower() in _DOCUMENT_FOLDERS
        if len(folders) <= 1 and (_DOCUMENT.fullmatch(name) or in_folder):
            notes.add("document", part, entry.path)


def note_stores(notes: Notes, part: str, place: bytes, entries: Iterable[Entry]) -> None:
    """Note the folders of dependencies that a part brings; paths are relative to the workspace."""
    pypi: dict[bytes, set[str]] = defaultdict(set)
    npm: set[bytes] = set()
    modules: set[bytes] = set()
    for entry in entries:
        folders = entry.path.split(b"/")[:-1]
        if _NPM_CACHE in folders:
            npm.add(b"/".join([place, *folders[: folders.index(_NPM_CACHE)]]))
        if b"node_modules" in folders:
            modules.add(b"/".join([place, *folders[: folders.index(b"node_modules")]]))
            continue
        name = entry.path.rpartition(b"/")[2]
        holder = folders[-1] if folders else place.rpartition(b"/")[2]
        if holder.lower() in _PYPI_FOLDERS and (match := _DISTRIBUTION.fullmatch(name)):
            pypi[b"/".join([place, *folders])].add(_normal(match[1]))
    for store, names in sorted(pypi.items()):
        listed = " ".join(sorted(names))
        notes.add("store-pypi", part, store, names=listed, count=len(names))
    for store in sorted(npm):
        notes.add("store-npm", part, store)
    for folder in sorted(modules):
        notes.add("node-modules", part, folder)


def _normal(name: bytes) -> str:
    return re.sub(r"[-_.]+", "-", name.decode("ascii")).lower()


def note_missing_submodules(
    notes: Notes, part: str, root: bytes, entries: Sequence[Entry], linked: Iterable[bytes]
) -> None:
    """Note the submodules, named in ``.gitmodules`` or in the commit, that hold no file."""
    filled = {entry.path[:at] for entry in entries for at in _slashes(entry.path)}
    for path in sorted({*_declared(root), *linked}):
        if path not in filled:
            notes.add("submodule-missing", part, path)


def _slashes(path: bytes) -> Iterable[int]:
    return (at for at, byte in enumerate(path) if byte == 0x2F)


def _declared(root: bytes) -> list[bytes]:
    path = os.path.join(root, b".gitmodules")
    if os.path.islink(path) or not os.path.isfile(path):
        return []
    with open(path, "rb") as file:
        content = file.read(MARKER_BYTES_MAX)
    return [
        m.rstrip(b"/")
        for m in re.findall(rb"(?m)^[ \t]*path[ \t]*=[ \t]*(\S.*?)[ \t\r]*$", content)
    ]


def read_recipe(folders: Iterable[bytes]) -> tuple[bytes | None, dict[str, Any] | None, str | None]:
    """Return (path, recipe as JSON, problem) of the first ``escrow.toml`` in these folders."""
    for folder in folders:
        path = os.path.join(folder, RECIPE_NAME.encode())
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            content = file.read(RECIPE_BYTES_MAX + 1)
        return path, *_recipe(content)
    return None, None, None


def _recipe(content: bytes) -> tuple[dict[str, Any] | None, str | None]:
    if len(content) > RECIPE_BYTES_MAX:
        return None, f"it is larger than {RECIPE_BYTES_MAX // 1024} KiB"
    try:
        data = tomllib.loads(content.decode("utf-8"))
        return {name: _plain(value) for name, value in data.items()}, None
    except (ValueError, RecursionError) as error:
        return None, str(error) or "it nests too deeply"


def _plain(value: object) -> object:
    """Return TOML data as JSON has it: dates become text, other numbers stay."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return str(value)
    return value
