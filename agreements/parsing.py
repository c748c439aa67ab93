"""From an agreement's text to an :class:`Agreement`, or to every problem with its line.

Order of a reading: size, then nesting (both bound the work of what follows), TOML itself, the form
of each value (``form.py``), and last the rules between values (``people_rules.py``,
``term_rules.py``).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from agreements.errors import AgreementInvalid, Problem
from agreements.form import AGREEMENT
from agreements.people_rules import check_people
from agreements.positions import MAX_DEPTH, Lines, Path, ScanStopped, index_positions
from agreements.reading import Reading
from agreements.term_rules import check_terms
from agreements.terms import Agreement

# A three-party agreement of the template has 8 KB; a master agreement with 200 beneficiaries,
# hybrid keys and all clauses stays below this.
MAX_TEXT_BYTES = 1_000_000

_LINE_IN_MESSAGE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def parse_agreement(text: str) -> Agreement:
    """Return the agreement that the text states.

    Raises:
        AgreementInvalid: the text has at least one error; all problems are listed.
    """
    agreement, problems = read_agreement(text)
    if agreement is None:
        raise AgreementInvalid(problems)
    return agreement


def reread_agreement(text: str) -> Agreement:
    """Return the agreement of a text that was parsed without error when it was filed.

    The rules between values are not asked again: they may have grown since, and calendars change,
    but what was signed stays what it is.

    Raises:
        AgreementInvalid: the text breaks the form itself, so it was never filed.
    """
    agreement, problems = read_agreement(text, with_rules=False)
    if agreement is None:
        raise AgreementInvalid(problems)
    return agreement


def check_agreement(text: str) -> list[Problem]:
    """Return every error and warning, in the order of lines; an empty list is a clean text."""
    return read_agreement(text)[1]


def read_agreement(text: str, *, with_rules: bool = True) -> tuple[Agreement | None, list[Problem]]:
    """Return the agreement, or None when there is an error, together with all problems."""
    try:
        document, positions = _load(text)
    except _Unreadable as unreadable:
        return None, [unreadable.problem]
    reading = Reading(positions)
    values: Any = AGREEMENT.read(document, (), reading)
    agreement = _assemble(values, text)
    if with_rules:
        check_people(agreement, reading)
        check_terms(agreement, reading)
    problems = sorted(reading.problems, key=lambda one: (one.line, one.severity))
    failed = any(one.severity == "error" for one in problems)
    return (None if failed else agreement), problems


def _assemble(values: dict[str, Any], text: str) -> Agreement:
    """Join the general terms and the tables; the format's name has done its work."""
    general, tables = values["agreement"], {**values}
    del tables["agreement"], tables["format"]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Agreement(**general, **tables, text_sha256=digest)


class _Unreadable(Exception):
    """The text is not TOML within our bounds; there is one problem and nothing to go on with."""

    def __init__(self, code: str, line: int, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.problem = Problem(f"agreement.{code}", line, "", reason, remedy)


def _load(unverified_text: str) -> tuple[dict[str, Any], Mapping[Path, int]]:
    _check_characters(unverified_text)
    try:
        positions = index_positions(unverified_text)
    except ScanStopped as stop:
        raise _explain_stop(unverified_text, stop) from None
    return _load_toml(unverified_text), positions


def _check_characters(text: str) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as problem:
        line = Lines(text).line_of(problem.start)
        raise _Unreadable(
            "not-utf8", line, "The text is not valid UTF-8.", "Save the file as UTF-8."
        ) from None
    if size_bytes > MAX_TEXT_BYTES:
        raise _Unreadable(
            "too-large",
            1,
            f"The text has {size_bytes:,} bytes; at most {MAX_TEXT_BYTES:,} are taken.",
            "Move long clauses into annexes and refer to them by name and hash.",
        )
    if text.startswith("\ufeff"):
        raise _Unreadable(
            "byte-order-mark",
            1,
            "The text begins with a byte order mark.",
            "Save the file as UTF-8 without BOM.",
        )


def _explain_stop(text: str, stop: ScanStopped) -> _Unreadable:
    """Say what is wrong where the scan stopped; TOML's own reader has the better sentence.

    It is shown only the lines that were scanned, because the rest may be nested without bound.
    """
    line = Lines(text).line_of(stop.offset)
    if stop.too_deep:
        return _Unreadable(
            "too-deep",
            line,
            f"Tables or lists are nested more than {MAX_DEPTH} deep.",
            "Write the file after the template, which needs five levels.",
        )
    end_of_line = text.find("\n", stop.offset)
    try:
        _load_toml(text if end_of_line < 0 else text[:end_of_line])
    except _Unreadable as better:
        return better
    return _Unreadable(
        "syntax", line, "The text is not TOML.", "Compare the line with the template."
    )


def _load_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = _LINE_IN_MESSAGE.search(str(problem))
        line = int(found[1]) if found and found[1] else Lines(text.rstrip()).count
        told = _LINE_IN_MESSAGE.sub("", str(problem))
        raise _Unreadable(
            "syntax",
            line,
            f"The text is not TOML: {told}.",
            "Check quotes, brackets and '=' in this line and the one before.",
        ) from None
    except ValueError:
        # Python refuses to convert numbers of thousands of digits (CVE-2020-10735).
        raise _Unreadable(
            "syntax", 1, "The text holds a number without end.", "Write plain numbers."
        ) from None
