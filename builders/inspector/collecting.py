"""Look for what a build left: everything in its output folder, and what its recipe names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from builders.inspector import magic
from builders.inspector.bounds import (
    ARTIFACTS_MAX,
    CHUNK_BYTES,
    COLLECTED_FILES_MAX,
    INCOMPLETE_MAX,
)
from builders.inspector.notes import path_text
from builders.inspector.packages import Allowance
from builders.inspector.references import missing_modules
from builders.inspector.swhid import ContentDigest
from builders.inspector.walking import walk

FORMAT = "escrow-artifacts/1"
_OUT = "$OUT/"
# Not results of a build, wherever they lie.
_SKIPPED = frozenset((b".git", b"node_modules", b"CMakeFiles", b"__pycache__"))


def pattern(text: str) -> re.Pattern[bytes]:
    """Return the expression of a path pattern: ``*`` and ``?`` in a name, ``**`` over folders."""
    whole = re.escape(text.encode("utf-8", "surrogateescape"))
    for mark, meaning in (
        (rb"\*\*/", rb"(?:.*/)?"),
        (rb"\*\*", rb".*"),
        (rb"\*", rb"[^/]*"),
        (rb"\?", rb"[^/]"),
    ):
        whole = whole.replace(mark, meaning)
    return re.compile(whole, re.DOTALL)


class Collector:
    """Collects the results of one component."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._found: dict[bytes, dict[str, Any]] = {}
        self._looked_at = 0

    def collect(self, out: str, folders: list[str], patterns: list[str]) -> dict[str, Any]:
        """Return the document of results.

        Args:
            out: the component's output folder; everything in it counts.
            folders: where patterns apply (the first), and where compiled files are looked for
                when there is no other result.
            patterns: what the recipe names, relative to the first folder or below ``$OUT/``.
        """
        self._take(out, None)
        missing = [
            text
            for text in patterns
            if not (
                self._take(out, pattern(text[len(_OUT) :]))
                if text.startswith(_OUT)
                else self._take(folders[0], pattern(text))
            )
        ]
        if not self._found and not patterns:
            for folder in folders:
                self._take_compiled(folder)
        cut = len(self._found) >= ARTIFACTS_MAX or self._looked_at >= COLLECTED_FILES_MAX
        rows = [self._found[path] for path in sorted(self._found)]
        return {
            "format": FORMAT,
            "artifacts": rows,
            "missing": missing,
            "incomplete": list(islice(self._incomplete(folders[0]), INCOMPLETE_MAX)),
            "cut": cut,
        }

    def _incomplete(self, folder: str) -> Iterator[dict[str, Any]]:
        source, allowance = os.path.join(self._root, folder.encode()), Allowance()
        for path in sorted(self._found):
            lacks = missing_modules(os.path.join(self._root, path), source, allowance)
            if lacks.certain or lacks.doubtful:
                yield {
                    "path": path_text(path),
                    "certain": lacks.certain,
                    "doubtful": lacks.doubtful,
                }

    def _take(self, folder: str, wanted: re.Pattern[bytes] | None) -> int:
        matched = 0
        for path, entry in self._files(folder):
            if wanted is None or wanted.fullmatch(path):
                self._add(entry)
                matched += 1
        return matched

    def _take_compiled(self, folder: str) -> None:
        for path, entry in self._files(folder):
            if not _SKIPPED.intersection(path.split(b"/")):
                with open(entry.path, "rb", opener=open_plain) as file:
                    compiled = magic.is_compiled(file.read(magic.HEAD_BYTES))
                if compiled:
                    self._add(entry)

    def _files(self, folder: str) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
        root = os.path.join(self._root, folder.encode())
        if not os.path.isdir(root) or os.path.islink(root):
            return
        for path, entry in walk(root):
            self._looked_at += 1
            if self._looked_at > COLLECTED_FILES_MAX:
                return
            if entry is not None and entry.is_file(follow_symlinks=False):
                yield path, entry

    def _add(self, entry: os.DirEntry[bytes]) -> None:
        path = os.path.relpath(entry.path, self._root)
        if path in self._found or len(self._found) >= ARTIFACTS_MAX:
            return
        digest = ContentDigest(None)
        with open(entry.path, "rb", opener=open_plain) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        made = digest.entry(path, "")
        self._found[path] = {
            "path": path_text(path),
            "size_bytes": made.size_bytes,
            "sha256": made.sha256,
        }


def open_plain(path: str | bytes, flags: int) -> int:
    """Open a file that is no link, for :func:`open`."""
    return os.open(path, flags | os.O_NOFOLLOW)
