"""The one registry of findings: what can be said about a deposit, with a stable code for each.

A finding is a value, never an exception. Its ``code`` and ``title`` hold nothing of a deposit and
may be shown to every party; its ``sentence`` and ``remedy`` are filled from ``facts``, which come
out of the deposit, and belong to the vendor. The registry only grows: a code is never renamed,
never reused, and its severity never lowered without a new code. ``docs/findings.md`` is generated
from it.

Facts are hostile text: they are made printable and cut here, so that no reader has to.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from builders.findings_table import FINDING_TYPES, FindingType

Severity = Literal["fail", "warn", "info"]

# A fact is a name, a line or a number to be read by a person, not a document.
FACT_CHARACTERS_MAX = 300

# Examples that stand in one sentence; the count tells how many more there are.
EXAMPLES_SHOWN = 5

_REGISTRY: Mapping[str, FindingType] = {kind.code: kind for kind in FINDING_TYPES}
# Control characters, and those that turn the direction of a line or are invisible.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def printable(text: str, limit: int = FACT_CHARACTERS_MAX) -> str:
    """Return hostile text on one line, escaped where it could deceive, cut at ``limit``."""
    shown = _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Return a few names of many as they stand in a sentence: 'a, b, c and 7 more'."""
    every = list(dict.fromkeys(names))
    shown = ", ".join(printable(name, 80) for name in every[:EXAMPLES_SHOWN])
    rest = len(every) - EXAMPLES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def finding_type(code: str) -> FindingType:
    """Return the registered type of a code.

    Raises:
        KeyError: nobody may report a finding that is not in the registry.
    """
    return _REGISTRY[code]


@dataclass(frozen=True)
class Finding:
    """One thing found. ``facts`` are exactly those that its type's two templates name."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)
    component: str | None = None

    def __post_init__(self) -> None:
        wanted = fields_of(finding_type(self.code))
        if wanted != set(self.facts):
            raise ValueError(f"{self.code} takes the facts {sorted(wanted)}")
        shown = {name: printable(value) for name, value in self.facts.items()}
        object.__setattr__(self, "facts", shown)

    @property
    def type(self) -> FindingType:
        """The registered type, with title and severity."""
        return finding_type(self.code)

    @property
    def severity(self) -> Severity:
        """How much it weighs: ``fail`` alone makes a verdict FAIL."""
        return self.type.severity

    @property
    def sentence(self) -> str:
        """What was found, for the vendor: holds names and lines of the deposit."""
        return self.type.sentence.format_map(self.facts)

    @property
    def remedy(self) -> str:
        """What the vendor can do about it."""
        return self.type.remedy.format_map(self.facts)


def fields_of(kind: FindingType) -> set[str]:
    """Return the names of the facts that a type's sentence and remedy are filled with."""
    parsed = string.Formatter().parse(kind.sentence + kind.remedy)
    return {name for _, name, _, _ in parsed if name}


def weighs_as_failure(findings: Iterable[Finding]) -> bool:
    """Return whether one of the findings makes the verdict FAIL."""
    return any(finding.severity == "fail" for finding in findings)


def weighs_as_untested(findings: Iterable[Finding]) -> bool:
    """Return whether one of the findings says why something could not be tested here."""
    return any(finding.type.untested for finding in findings)
