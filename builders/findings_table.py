"""The table behind :mod:`builders.findings`: every code, in groups by what is looked at.

Append only. Titles name nothing of a deposit; sentences and remedies may, through their facts.
"""

from __future__ import annotations

from builders.finding_types import FindingType
from builders.findings_of_builds import BUILDING, OURS, PLANNING, RECIPE, TESTING
from builders.findings_of_deposits import INVENTORY, MATERIALS, UNPACKING

__all__ = ["FINDING_TYPES", "GROUPS", "FindingType"]

GROUPS: tuple[tuple[str, tuple[FindingType, ...]], ...] = (
    ("Unpacking", UNPACKING),
    ("Inventory", INVENTORY),
    ("Recipe", RECIPE),
    ("Planning", PLANNING),
    ("Building", BUILDING),
    ("Testing", TESTING),
    ("Ours", OURS),
    ("Materials of the agreement", MATERIALS),
)
FINDING_TYPES: tuple[FindingType, ...] = tuple(kind for _, kinds in GROUPS for kind in kinds)
