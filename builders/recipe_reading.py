"""Read tables of a recipe, strictly: every key has a type, a form and a limit, and is known.

Problems are gathered, not raised, so that the vendor sees all of them at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TypeVar

from builders.errors import RecipeProblem

TEXT_CHARACTERS_MAX = 2_000
LIST_MAX = 200

_SIZE = re.compile(r"([1-9][0-9]{0,6})\s*([kmgt])i?b?", re.IGNORECASE)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

Choice = TypeVar("Choice", bound=str)


class Reader:
    """One table. Each key is asked for once; :meth:`finish` reports the ones nobody asked for."""

    def __init__(
        self, data: Mapping[str, object], path: str, problems: list[RecipeProblem]
    ) -> None:
        self._data, self._path, self._problems = data, path, problems
        self._asked: set[str] = set()

    def problem(self, name: str, reason: str, remedy: str) -> None:
        """Note a problem at a key."""
        path = f"{self._path}.{name}".strip(".")
        self._problems.append(RecipeProblem(path, reason, remedy))

    def names(self) -> tuple[str, ...]:
        """Return every key of the table."""
        return tuple(self._data)

    def finish(self) -> None:
        """Report unknown keys, with the known one that was probably meant."""
        for name in self._data:
            if name not in self._asked:
                near = difflib.get_close_matches(name, self._asked, 1)
                known = ", ".join(sorted(self._asked))
                advice = f"Did you mean '{near[0]}'?" if near else f"Known here are: {known}."
                self.problem(name, "this key is not known", advice)

    def _take(self, name: str, required: bool) -> object:
        self._asked.add(name)
        if name not in self._data and required:
            self.problem(name, "it is missing", f"Add '{name}'.")
        return self._data.get(name)

    def text(
        self,
        name: str,
        *,
        required: bool = False,
        form: re.Pattern[str] | None = None,
        characters: int = TEXT_CHARACTERS_MAX,
    ) -> str | None:
        """Return a text; None when it is absent or wrong."""
        value = self._take(name, required)
        return None if value is None else self._checked(name, value, form, characters)

    def _checked(
        self, name: str, value: object, form: re.Pattern[str] | None, characters: int
    ) -> str | None:
        if not isinstance(value, str):
            self.problem(name, "it is not a text", f'Write {name} = "…".')
        elif len(value) > characters or "\0" in value:
            self.problem(name, f"it has more than {characters} characters", "Shorten it.")
        elif form is not None and not form.fullmatch(value):
            self.problem(name, f"'{value}' has another form", f"Write it as {form.pattern}.")
        else:
            return value
        return None

    def texts(
        self,
        name: str,
        limit: int = LIST_MAX,
        *,
        form: re.Pattern[str] | None = None,
        characters: int = TEXT_CHARACTERS_MAX,
    ) -> tuple[str, ...]:
        """Return a list of texts; empty when it is absent."""
        value = self._take(name, False)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > limit:
            self.problem(name, f"it is no list of up to {limit} texts", f'Write {name} = ["…"].')
            return ()
        checked = [self._checked(f"{name}[{i}]", v, form, characters) for i, v in enumerate(value)]
        return tuple(text for text in checked if text is not None)

    def path(self, name: str, *, required: bool = False, prefix: str = "") -> str | None:
        """Return a relative path that stays below its folder, without '.' components."""
        value = self.text(name, required=required)
        if value is None:
            return None
        stem = prefix if prefix and value.startswith(prefix) else ""
        parts = [part for part in value[len(stem) :].split("/") if part not in ("", ".")]
        if value[len(stem) :].startswith("/") or ".." in parts or "\\" in value:
            self.problem(
                name,
                f"'{value}' is no path below the deposited folder",
                "Write a relative path with '/' and without '..'.",
            )
            return None
        return stem + "/".join(parts)

    def integer(
        self, name: str, *, required: bool = False, at_least: int | None = None
    ) -> int | None:
        """Return a whole number."""
        value = self._take(name, required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < (at_least or 0):
            self.problem(name, "it is no whole number of 0 or more", f"Write {name} = 1.")
            return None
        return value

    def number(self, name: str, allowed: tuple[float, float]) -> float | None:
        """Return a number within a range."""
        value = self._take(name, False)
        if value is None:
            return None
        low, high = allowed
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= float(str(value)) <= high:
            remedy = f"Write a number from {low:g} to {high:g}."
            self.problem(name, "it is no number in the allowed range", remedy)
            return None
        return float(str(value))

    def size(self, name: str, allowed: tuple[int, int]) -> int | None:
        """Return a size in bytes, written like "4g" or "512m"."""
        value = self.text(name)
        if value is None:
            return None
        match = _SIZE.fullmatch(value)
        size = int(match[1]) * _UNITS[match[2].lower()] if match else 0
        if not allowed[0] <= size <= allowed[1]:
            self.problem(
                name,
                f"'{value}' is no size in the allowed range",
                f'Write for example {name} = "4g"; {allowed[0] >> 20}m to {allowed[1] >> 30}g.',
            )
            return None
        return size

    def choice(self, name: str, choices: tuple[Choice, ...]) -> Choice | None:
        """Return one of some words."""
        value = self.text(name)
        for word in choices:
            if value == word:
                return word
        if value is not None:
            self.problem(name, f"'{value}' is not known", f"Write one of {', '.join(choices)}.")
        return None

    def table(self, name: str) -> Reader:
        """Return an inner table; an empty one when it is absent."""
        value = self._take(name, False)
        if value is not None and not isinstance(value, dict):
            self.problem(name, "it is no table", f"Write [{name}].")
        inner = value if isinstance(value, dict) else {}
        return Reader(inner, f"{self._path}.{name}".strip("."), self._problems)

    def tables(self, name: str, limit: int) -> list[Reader]:
        """Return a list of inner tables."""
        value = self._take(name, False)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > limit:
            self.problem(name, f"it is no list of up to {limit} tables", f"Write [[{name}]].")
            return []
        stem = f"{self._path}.{name}".strip(".")
        found = []
        for index, each in enumerate(value):
            if isinstance(each, dict):
                found.append(Reader(each, f"{stem}[{index}]", self._problems))
            else:
                self.problem(f"{name}[{index}]", "it is no table", f"Write [[{name}]].")
        return found
