"""Inspect one deposit: take each part, look at what lies in the workspace, tell it in one value."""

from __future__ import annotations

import os
from typing import Any

from builders.inspector.bounds import ENTRIES_MAX, PATH_TOTAL_BYTES_MAX
from builders.inspector.frames import Parts, PartStream
from builders.inspector.markers import (
    find_markers,
    note_documents,
    note_missing_submodules,
    note_stores,
    read_recipe,
)
from builders.inspector.names import NameWatch
from builders.inspector.notes import Notes, path_text
from builders.inspector.parts import Part, Taker
from builders.inspector.probes import ProbeBudget
from builders.inspector.receiving import Room
from builders.inspector.swhid import FOLDER, Entry, folder_swhid
from builders.inspector.walking import Lister

FORMAT = "escrow-inspection/1"
SOURCE = b"src"


class Inspector:
    """One inspection below one root."""

    def __init__(self, root: bytes, room_bytes: int) -> None:
        self._root = root
        self._notes = Notes()
        self._budget = ProbeBudget()
        self._taker = Taker(root, self._notes, self._budget, Room(room_bytes))
        self._parts: list[Part] = []
        self._rows = 0
        self._path_bytes = 0

    def take_parts(self, frames: Parts) -> None:
        """Take every part that standard input holds."""
        for name in (SOURCE, b"parts", b"out", b"home"):
            os.makedirs(os.path.join(self._root, name), exist_ok=True)
        while (header := frames.next_json()) is not None:
            part = Part.of_header(header)
            self._taker.take(part, PartStream(frames))
            if part.kind == "source" and part.stored and part.media in ("tar", "zip"):
                _lift(os.path.join(self._root, part.place))
            self._parts.append(part)

    def report(self) -> dict[str, Any]:
        """Look at all that was taken, and return the document."""
        newest = max((p.newest_mtime or 0 for p in self._parts if p.kind == "source"), default=0)
        entries = {part.name: self._entries(part, newest) for part in self._parts}
        parts = [self._part(part, entries[part.name]) for part in self._parts]
        for part in self._parts:
            note_documents(self._notes, part.name, entries[part.name])
            if part.stored:
                note_stores(self._notes, part.name, part.place, entries[part.name])
        path, recipe, problem = read_recipe(self._recipe_folders())
        listed = {name: self._listed(every) for name, every in entries.items()}
        return {
            "format": FORMAT,
            "parts": parts,
            "entries": listed,
            "entries_cut": any(len(listed[name]) < len(entries[name]) for name in listed),
            "observations": self._notes.as_json(),
            "markers": self._markers(entries),
            "recipe": recipe,
            "recipe_path": None if path is None else path_text(os.path.relpath(path, self._root)),
            "recipe_problem": problem,
            "newest_mtime": newest or None,
        }

    def _entries(self, part: Part, newest: int) -> tuple[Entry, ...]:
        if not part.stored:
            return part.entries
        folder = os.path.join(self._root, part.place)
        if not os.path.isdir(folder):
            return ()
        is_git = part.media == "git-bundle"
        lister = Lister(self._notes, self._budget, part.name)
        times = newest if part.kind == "source" and newest else None
        gone = {entry.path for entry in part.submodules}
        skip = frozenset((b".git",)) if is_git else frozenset()
        walked = [e for e in lister.entries(folder, skip, times) if e.path not in gone]
        entries = (*walked, *part.submodules)
        watch = NameWatch(self._notes, part.name)
        for entry in entries:
            watch.see(entry.path)
        if part.kind == "source":
            note_missing_submodules(self._notes, part.name, folder, walked, gone)
        return entries

    def _part(self, part: Part, entries: tuple[Entry, ...]) -> dict[str, Any]:
        return {
            "name": part.name,
            "kind": part.kind,
            "media": part.media,
            "place": part.place.decode() if part.stored else None,
            "files": sum(entry.mode != FOLDER for entry in entries),
            "total_bytes": sum(entry.size_bytes for entry in entries),
            "root_swhid": folder_swhid(entries) if entries else None,
            "commit": part.commit,
        }

    def _markers(self, entries: dict[str, tuple[Entry, ...]]) -> list[dict[str, Any]]:
        source = os.path.join(self._root, SOURCE)
        below = [
            Entry(_below_source(part.place, entry.path), entry.mode, entry.size_bytes)
            for part in self._parts
            if part.stored and part.kind == "source"
            for entry in entries[part.name]
        ]
        return find_markers(source, below)

    def _recipe_folders(self) -> list[bytes]:
        """The source's root, then each source part, then a part that is the recipe itself."""
        source = [p.place for p in self._parts if p.stored and p.kind == "source"]
        others = [p.place for p in self._parts if p.stored and p.kind != "source"]
        return [os.path.join(self._root, place) for place in (SOURCE, *source, *others)]

    def _listed(self, entries: tuple[Entry, ...]) -> list[list[Any]]:
        rows: list[list[Any]] = []
        for entry in entries:
            self._rows += 1
            self._path_bytes += len(entry.path)
            if self._rows > ENTRIES_MAX or self._path_bytes > PATH_TOTAL_BYTES_MAX:
                break
            row = [path_text(entry.path), entry.mode, entry.size_bytes, entry.sha256, entry.git_id]
            rows.append(row)
        return rows


def _below_source(place: bytes, path: bytes) -> bytes:
    return path if place == SOURCE else place[len(SOURCE) + 1 :] + b"/" + path


def _lift(folder: bytes) -> None:
    """Where an archive holds one folder and nothing else, make that folder the root."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as listing:
        inner = list(listing)
    if len(inner) != 1 or not inner[0].is_dir(follow_symlinks=False) or inner[0].name == b".git":
        return
    aside = folder + b".lifted"
    os.rename(inner[0].path, aside)
    os.rmdir(folder)
    os.rename(aside, folder)
