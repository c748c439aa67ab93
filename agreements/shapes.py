"""Shapes that a value in a document can have: each reads a value and describes itself as schema.

One description serves three readers: the parser (values and problems with lines), the published
JSON Schema, and the engineer who reads ``agreements/form.py``. A shape never raises: what does not
fit is reported to the :class:`Reading` and replaced by the shape's blank, so that one pass finds
every problem. Blanks never reach a caller, since a reading with errors gives no agreement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agreements.positions import Path
from agreements.reading import (
    Reading,
    did_you_mean,
    has_unprintable,
    header_text,
    path_text,
    shown,
)

_PLACEHOLDER = re.compile(r"\$\{[^}\n]*\}")

_TYPE_NAMES: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    list: "a list",
    dict: "a table",
}


class Shape(Protocol):
    """What a value must look like."""

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return the value in its final form; report and return the blank when it does not fit."""
        ...

    def schema(self) -> dict[str, object]:
        """Return the shape as JSON Schema (draft 2020-12)."""
        ...

    @property
    def blank(self) -> object:
        """What stands in for a value that was missing or wrong."""
        ...


@dataclass(frozen=True)
class Text:
    """A text of one or more lines; with a pattern when it has a form of its own."""

    max_chars: int
    what: str = "a text"
    pattern: str | None = None
    remedy: str = "Write it in double quotes."
    blank: object = ""

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return the text; refuse empty, over-long, unprintable or malformed ones."""
        if not isinstance(value, str):
            return _wrong_type(value, path, reading, self.what, self.remedy, self.blank)
        flaw = self._flaw(value, path_text(path))
        if flaw is None:
            return value
        reading.report(flaw[0], path, flaw[1], flaw[2])
        return self.blank

    def _flaw(self, value: str, name: str) -> tuple[str, str, str] | None:
        """Return code, reason and remedy of what is wrong with the text, the plainest first."""
        if placeholder := _PLACEHOLDER.search(value):
            left = f"{name} still holds the template's placeholder {shown(placeholder.group())}."
            return "placeholder-left", left, "Replace it by the real value."
        if not value.strip():
            return "empty", f"{name} is empty.", "Fill it in."
        if len(value) > self.max_chars:
            size = f"{name} has {len(value):,} characters; at most {self.max_chars:,} are taken."
            return "too-long", size, "Shorten it, and refer to an annex by its name and hash."
        if has_unprintable(value):
            hidden = f"{name} holds control characters that a reader cannot see."
            return "unprintable", hidden, "Type the text anew without them."
        if self.pattern and not re.fullmatch(self.pattern, value):
            return "malformed", f"{name} = {shown(value)} is not {self.what}.", self.remedy
        return None

    def schema(self) -> dict[str, object]:
        """Return a string schema with length and pattern."""
        schema: dict[str, object] = {
            "type": "string",
            "minLength": 1,
            "maxLength": self.max_chars,
        }
        return schema | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds, both included."""

    low: int
    high: int
    unit: str = ""
    blank: object = 0

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return the number; refuse other types and what lies out of bounds."""
        bounds = f"{self.low} to {self.high}{' ' + self.unit if self.unit else ''}"
        # In Python true is the number 1; in an agreement it is a mistake.
        if not isinstance(value, int) or isinstance(value, bool):
            remedy = f"Write a number from {bounds}, without quotes."
            return _wrong_type(value, path, reading, "a whole number", remedy, self.blank)
        if self.low <= value <= self.high:
            return value
        reading.report(
            "out-of-range",
            path,
            f"{path_text(path)} is out of range.",
            f"Write a number from {bounds}.",
        )
        return self.blank

    def schema(self) -> dict[str, object]:
        """Return an integer schema with its bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class YesNo:
    """True or false."""

    blank: object = False

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return the boolean; refuse everything else."""
        if isinstance(value, bool):
            return value
        remedy = "Write true or false, without quotes."
        return _wrong_type(value, path, reading, "true or false", remedy, self.blank)

    def schema(self) -> dict[str, object]:
        """Return a boolean schema."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Choice:
    """One of a fixed set of words."""

    words: tuple[str, ...]
    what: str
    blank: object = ""

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return the word; for an unknown one suggest the nearest."""
        listed = ", ".join(self.words)
        if not isinstance(value, str):
            remedy = f"Write one of these in double quotes: {listed}."
            return _wrong_type(value, path, reading, self.what, remedy, self.blank)
        if value in self.words or reading.is_full:
            return value if value in self.words else self.blank
        reading.report(
            "unknown-word",
            path,
            f"{path_text(path)} = {shown(value)} is not {self.what}.",
            did_you_mean(value, self.words) or f"Use one of: {listed}.",
        )
        return self.blank

    def schema(self) -> dict[str, object]:
        """Return an enumeration."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class ListOf:
    """A list of like values; ``at_most`` keeps one document from being a whole register."""

    item: Shape
    at_least: int
    at_most: int
    blank: object = ()

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return a tuple of the items that fit; report the count when it is out of bounds."""
        if not isinstance(value, list):
            wanted, remedy = self._wanted(path)
            return _wrong_type(value, path, reading, wanted, remedy, self.blank)
        if not self.at_least <= len(value) <= self.at_most:
            reading.report(
                "wrong-count",
                path,
                f"{path_text(path)} has {len(value)} entries.",
                f"Give {self.at_least} to {self.at_most}.",
            )
        kept = value[: self.at_most]
        return tuple(self.item.read(one, (*path, at), reading) for at, one in enumerate(kept))

    def _wanted(self, path: Path) -> tuple[str, str]:
        if isinstance(self.item, Table):
            return "a list of tables", f"Write [[{header_text(path)}]] with two brackets."
        return "a list", 'Write it in brackets, such as ["one", "two"].'

    def schema(self) -> dict[str, object]:
        """Return an array schema with its bounds."""
        bounds = {"minItems": self.at_least, "maxItems": self.at_most}
        return {"type": "array", "items": self.item.schema(), **bounds}


@dataclass(frozen=True)
class Field:
    """One key of a table: required, or with the default that stands when it is left out."""

    shape: Shape
    note: str
    required: bool = True
    default: object = None


@dataclass(frozen=True)
class Table:
    """A table with known keys, made into a value by ``make``, which gets them by name."""

    make: Callable[..., object]
    fields: Mapping[str, Field]

    @property
    def blank(self) -> object:
        """Return the value made of every field's blank or default."""
        return self.make(
            **{
                key: one.shape.blank if one.required else one.default
                for key, one in self.fields.items()
            }
        )

    def read(self, value: object, path: Path, reading: Reading) -> object:
        """Return what ``make`` builds; report unknown and missing keys."""
        if not isinstance(value, dict):
            remedy = f"Write [{header_text(path)}] with one bracket, and its keys below."
            return _wrong_type(value, path, reading, "a table", remedy, self.blank)
        for key in value:
            # Looking for a near word is slow, and a text can hold very many unknown keys.
            if key not in self.fields and not reading.is_full:
                self._report_unknown(key, path, reading)
        return self.make(
            **{
                key: self._read_field(key, one, value, path, reading)
                for key, one in self.fields.items()
            }
        )

    def _read_field(
        self, key: str, one: Field, table: dict[str, object], path: Path, reading: Reading
    ) -> object:
        if key in table:
            return one.shape.read(table[key], (*path, key), reading)
        if not one.required:
            return one.default
        reading.report(
            "missing",
            (*path, key),
            f"{path_text((*path, key))} is missing: {one.note}.",
            _how_to_add(key, one.shape, path),
        )
        return one.shape.blank

    def _report_unknown(self, key: str, path: Path, reading: Reading) -> None:
        allowed = tuple(self.fields)
        reading.report(
            "unknown-key",
            (*path, key),
            f"{shown(path_text((*path, key)))} is not part of the format.",
            did_you_mean(key, allowed) or f"Known here: {', '.join(allowed)}.",
        )

    def schema(self) -> dict[str, object]:
        """Return an object schema that takes no other keys."""
        properties = {}
        for key, one in self.fields.items():
            properties[key] = {"description": one.note, **one.shape.schema()}
            # A default that is no JSON scalar (a tuple, a computed table) is told in the note.
            if isinstance(one.default, (str, int, bool)):
                properties[key]["default"] = one.default
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [key for key, one in self.fields.items() if one.required],
            "properties": properties,
        }


def _wrong_type(
    value: object, path: Path, reading: Reading, wanted: str, remedy: str, blank: object
) -> object:
    kind = _TYPE_NAMES.get(type(value), "a date or time")
    reading.report(
        "wrong-type", path, f"{path_text(path)} must be {wanted}, and is {kind}.", remedy
    )
    return blank


def _how_to_add(key: str, shape: Shape, path: Path) -> str:
    header = header_text((*path, key))
    if isinstance(shape, Table):
        return f"Add a table [{header}]."
    if isinstance(shape, ListOf) and isinstance(shape.item, Table):
        return f"Add at least one [[{header}]]."
    return f"Add a line '{key} = …'" + (f" below [{header_text(path)}]." if path else " on top.")
