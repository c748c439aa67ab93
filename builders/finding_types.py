"""What one row of the registry of findings is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FindingType:
    """One row: what a code means. ``untested`` marks the reasons of a NOT TESTED verdict."""

    code: str
    title: str
    severity: Literal["fail", "warn", "info"]
    sentence: str
    remedy: str
    untested: bool = False
