"""One pass over one text: what was found so far, at which line, and in which words."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from agreements.errors import Problem, Severity
from agreements.positions import Path, line_of_path

# Beyond this a text is not an agreement with mistakes but something else; the rest is not listed.
MAX_PROBLEMS = 100

# How much of a wrong value a sentence repeats.
_SHOWN_CHARS = 60

# Overrides of reading direction can make a signed text look like another one (CVE-2021-42574).
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass
class Reading:
    """One pass over one text: where things stand, and what was found so far."""

    positions: Mapping[Path, int]
    problems: list[Problem] = field(default_factory=list)

    def report(
        self, code: str, path: Path, reason: str, remedy: str, severity: Severity = "error"
    ) -> None:
        """Note a problem at the line where the path stands, or where it should stand."""
        if not self.is_full:
            line, name = self.line(path), path_text(path)
            self.problems.append(Problem(f"agreement.{code}", line, name, reason, remedy, severity))

    @property
    def is_full(self) -> bool:
        """Whether no further problem will be noted, so that none need be worded."""
        return len(self.problems) >= MAX_PROBLEMS

    def line(self, path: Path) -> int:
        """Return the line of the path, or of what stands around it."""
        return line_of_path(self.positions, path)

    def holds(self, path: Path) -> bool:
        """Return whether the text itself states this path."""
        return path in self.positions


def path_text(path: Path) -> str:
    """Return a path as a reader writes it: ``agents[0].email``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def header_text(path: Path) -> str:
    """Return the name that a TOML header of this table has: the path without list indices."""
    return ".".join(step for step in path if isinstance(step, str))


def shown(value: str) -> str:
    """Return the value quoted for a sentence, cut and with nothing unprintable in it."""
    cut = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…"
    return repr(cut)


def did_you_mean(value: str, known: tuple[str, ...]) -> str | None:
    """Return a sentence that names the nearest known word, or None when none is near."""
    close = get_close_matches(value.lower()[:_SHOWN_CHARS], known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else None


def has_unprintable(value: str) -> bool:
    """Return whether a reader could not see all of the text: controls, direction overrides."""
    # All that is looked for is unprintable to Python, too, which looks much faster.
    return not value.isprintable() and any(
        char in _DIRECTION_OVERRIDES
        or (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t")
        for char in value
    )
