"""The page of findings is the registry, and the registry keeps its own rules."""

import re
import string
from pathlib import Path

from builders.findings_page import findings_page
from builders.findings_table import FINDING_TYPES

ROOT = Path(__file__).parents[2]


def test_page_is_fresh():
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert page == findings_page(), "run 'make docs'"


def test_codes_are_unique_and_shaped_alike():
    codes = [kind.code for kind in FINDING_TYPES]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"E-[A-Z]+(-[A-Z]+)+", code) for code in codes)


def test_titles_hold_nothing_of_a_deposit():
    parsed = [part for kind in FINDING_TYPES for part in string.Formatter().parse(kind.title)]
    assert all(name is None for _, name, _, _ in parsed)


def test_what_was_not_tested_never_weighs_as_failure():
    assert all(kind.severity == "warn" for kind in FINDING_TYPES if kind.untested)
