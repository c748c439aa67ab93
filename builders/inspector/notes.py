"""What the inspector noticed, bounded by kind, with paths that survive JSON."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

from builders.inspector.bounds import FACT_CHARACTERS_MAX, OBSERVATIONS_PER_KIND

# Stands before a path that is shown in base64, because it is no UTF-8 (or begins just like this).
BASE64_MARK = "base64:"


def path_text(path: bytes) -> str:
    """Return a path as text, without loss: UTF-8, or base64 behind a mark."""
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        text = BASE64_MARK
    if text.startswith(BASE64_MARK):
        return BASE64_MARK + base64.b64encode(path).decode("ascii")
    return text


def text_path(text: str) -> bytes:
    """Return the path that :func:`path_text` was given."""
    if text.startswith(BASE64_MARK):
        return base64.b64decode(text.removeprefix(BASE64_MARK))
    return text.encode("utf-8")


class Notes:
    """Observations of all parts. Of each kind some are kept and the rest is counted."""

    def __init__(self) -> None:
        self._kept: list[dict[str, Any]] = []
        self._seen: Counter[tuple[str, str]] = Counter()

    def add(self, kind: str, part: str, path: bytes = b"", **facts: object) -> None:
        """Note one thing."""
        self._seen[kind, part] += 1
        if self._seen[kind, part] > OBSERVATIONS_PER_KIND:
            return
        shown = {name: str(value)[:FACT_CHARACTERS_MAX] for name, value in facts.items()}
        self._kept.append({"kind": kind, "part": part, "path": path_text(path), "facts": shown})

    def as_json(self) -> list[dict[str, Any]]:
        """Return them all; of an overfull kind, one more with the number left out."""
        more = [
            {"kind": kind, "part": part, "path": "", "facts": {"more": str(count - kept)}}
            for (kind, part), count in self._seen.items()
            if count > (kept := OBSERVATIONS_PER_KIND)
        ]
        return self._kept + more
