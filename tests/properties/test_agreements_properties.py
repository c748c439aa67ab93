"""Agreements under hypothesis: positions agree with TOML's own reader, clocks never run back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from agreements.clocks import calendar_codes, deadline, is_business_day
from agreements.parsing import check_agreement
from agreements.positions import ScanStopped, index_positions
from agreements.templates import placeholders, render_template
from escrow.testing.agreements import AgreementCast

TEXT = AgreementCast().text
PIECES = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        "#",
        "\n",
        "\r\n",
        " ",
        "a",
        "b-1",
        "k",
        "1",
        "true",
        "2026-01-01 10:00:00",
        "é",
        "\t",
    ]
)
KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6)
VALUES = st.recursive(
    st.integers(-5, 5) | st.booleans() | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + "}"
        case list():
            return "[\n" + ",\n".join(map(written, value)) + "]"
        case str():
            return quoted(value)
    return str(value)


def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    entries: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, inner in entries:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_whatever_toml_takes_every_path_has_a_line(text):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert all(one.severity == "error" for one in check_agreement(text))
        return
    found = index_positions(text)
    assert set(found) == set(paths(document))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


@given(st.dictionaries(KEYS, VALUES, max_size=4))
@settings(max_examples=100, deadline=None)
def test_written_documents_are_indexed_completely(document):
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    try:
        assert set(index_positions(text)) == set(paths(document))
    except ScanStopped as stop:
        assert stop.too_deep


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), PIECES)
@settings(max_examples=200, deadline=None)
def test_a_damaged_agreement_is_answered_and_never_crashes(at, cut, piece):
    for problem in check_agreement(TEXT[:at] + piece + TEXT[at + cut :]):
        assert 1 <= problem.line <= TEXT.count("\n") + 3
        assert problem.reason
        assert problem.remedy


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_filled_values_come_back_unchanged(value):
    value = value.encode("utf-8", "ignore").decode().replace("\r", "")
    filled = dict.fromkeys(placeholders("three-party"), value)
    assert tomllib.loads(render_template("three-party", filled))["vendor"]["name"] == value


@given(
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    st.integers(0, 40),
    st.sampled_from(["GB-ENG", "DE-BY", "US-NY", "SA", "IL", "JP", "XECB"]),
)
@settings(max_examples=100, deadline=None)
def test_a_period_has_exactly_its_business_days(start, days, calendar):
    last_day = deadline(start, days, calendar).last_day
    assert is_business_day(last_day, calendar)
    span = [start + timedelta(days=one) for one in range(1, (last_day - start).days + 1)]
    counted = sum(is_business_day(day, calendar) for day in span)
    assert counted == days or (days == 0 and counted == 1 and not is_business_day(start, calendar))
    assert deadline(start, days + 1, calendar).last_day >= last_day


@given(st.sampled_from(sorted(calendar_codes())))
@settings(max_examples=60, deadline=None)
def test_every_calendar_that_is_offered_can_be_computed_with(code):
    assert deadline(date(2026, 3, 2), 10, code).last_day > date(2026, 3, 2)
