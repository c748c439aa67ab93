"""Where in a TOML text each key and list item stands, so that errors can name the line.

``tomllib`` gives values without positions. This scanner walks the same text with the same rules
about tables (TOML 1.0) and notes lines only; it decodes no values. It runs *before* ``tomllib``
and refuses deep nesting, because deep keys make a TOML reader slow and deep lists exhaust its
stack. It accepts some texts that TOML forbids: judging the rest is left to ``tomllib``.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]

# beneficiaries → item → recipients → item → recipient is five deep; the rest is room to grow.
MAX_DEPTH = 10

# No possessive groups: Python 3.11.2 (Debian 12) matches them wrongly. The alternatives of each
# group begin with different characters, so there is one way to match and nothing to try again.
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_QUOTED = re.compile(r"""\"(?:[^"\\\n]|\\[^\n])*\"|'[^'\n]*+'""")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}')
_LONG_LITERAL = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}")
_PLAIN_VALUE = re.compile(r"[^\s,\]}#\"'\[{=][^\n,\]}#]*")


class ScanStopped(Exception):
    """The text cannot be scanned beyond this point.

    Attributes:
        offset: index of the character that does not fit.
        too_deep: nesting beyond :data:`MAX_DEPTH`, rather than something that TOML forbids.
    """

    def __init__(self, offset: int, *, too_deep: bool = False) -> None:
        super().__init__(f"scanning stopped at character {offset}")
        self.offset = offset
        self.too_deep = too_deep


class Lines:
    """Turns offsets of one text into line numbers, counted from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [match.end() for match in re.finditer("\n", text)]
        self.count = len(self._starts) + 1

    def line_of(self, offset: int) -> int:
        """Return the number of the line that holds this character."""
        return bisect_right(self._starts, offset) + 1


def index_positions(text: str) -> Mapping[Path, int]:
    """Return the line of every table, key and list item, by its path in the parsed document.

    Args:
        text: TOML, bounded in size by the caller.

    Raises:
        ScanStopped: the text is no TOML, or nested too deeply.
    """
    scanner = _Scanner(text)
    scanner.scan_document()
    return scanner.positions


def line_of_path(positions: Mapping[Path, int], path: Path) -> int:
    """Return the line of a path, or of the nearest thing around it that has one."""
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, 1)


class _Scanner:
    """One pass over one text; ``at`` only ever grows."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.positions: dict[Path, int] = {}
        self._lines = Lines(text)
        self._tables_in: dict[Path, int] = {}

    def scan_document(self) -> None:
        """Walk the whole text: headers and ``key = value`` lines."""
        base: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self._next_is("["):
                base = self._scan_header()
            else:
                self._scan_pair(base)
            self._skip(_SPACES)
            if self.at < len(self.text) and self.text[self.at] not in "#\r\n":
                raise ScanStopped(self.at)
            self._skip(_BLANK)

    def _scan_header(self) -> Path:
        start = self.at
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        parts = self._scan_key()
        self._take("]]" if many else "]")
        path: Path = ()
        for part in parts[:-1]:
            path = self._enter((*path, part))
            self._note(path, start)
        path = (*path, parts[-1])
        if many:
            self._tables_in[path] = self._tables_in.get(path, 0) + 1
            self._note(path, start)
            path = self._enter(path)
        self._note(path, start)
        return path

    def _enter(self, path: Path) -> Path:
        """Return the path of the table itself, or of the last one where it is a list of tables."""
        count = self._tables_in.get(path)
        return path if count is None else (*path, count - 1)

    def _scan_pair(self, base: Path) -> None:
        start = self.at
        path = base
        for part in self._scan_key():
            path = (*path, part)
            self._note(path, start)
        self._take("=")
        self._skip(_SPACES)
        self._scan_value(path)

    def _scan_key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACES)
            parts.append(self._scan_key_part())
            if len(parts) > MAX_DEPTH:
                raise ScanStopped(self.at, too_deep=True)
            self._skip(_SPACES)
            if not self._next_is("."):
                return parts
            self.at += 1

    def _scan_key_part(self) -> str:
        start = self.at
        if self._skip(_BARE_KEY):
            return self.text[start : self.at]
        if not self._skip(_QUOTED):
            raise ScanStopped(start)
        try:
            decoded = tomllib.loads(f"key = {self.text[start : self.at]}")["key"]
        except tomllib.TOMLDecodeError:
            raise ScanStopped(start) from None
        return str(decoded)

    def _scan_value(self, path: Path) -> None:
        if len(path) > MAX_DEPTH:
            raise ScanStopped(self.at, too_deep=True)
        if self._next_is("["):
            self._scan_list(path)
        elif self._next_is("{"):
            self._scan_inline_table(path)
        elif not any(
            self._skip(form) for form in (_LONG_BASIC, _LONG_LITERAL, _QUOTED, _PLAIN_VALUE)
        ):
            raise ScanStopped(self.at)

    def _scan_list(self, path: Path) -> None:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while not self._next_is("]"):
            self._note((*path, index), self.at)
            self._scan_value((*path, index))
            index += 1
            self._skip(_BLANK)
            if not self._next_is("]"):
                self._take(",")
                self._skip(_BLANK)
        self.at += 1

    def _scan_inline_table(self, path: Path) -> None:
        self.at += 1
        self._skip(_SPACES)
        while not self._next_is("}"):
            self._scan_pair(path)
            self._skip(_SPACES)
            if not self._next_is("}"):
                self._take(",")
                self._skip(_SPACES)
        self.at += 1

    def _note(self, path: Path, offset: int) -> None:
        self.positions.setdefault(path, self._lines.line_of(offset))

    def _skip(self, form: re.Pattern[str]) -> bool:
        """Pass over what matches here; return whether anything did."""
        match = form.match(self.text, self.at)
        if match is None or match.end() == self.at:
            return False
        self.at = match.end()
        return True

    def _take(self, literal: str) -> None:
        if not self._next_is(literal):
            raise ScanStopped(self.at)
        self.at += len(literal)

    def _next_is(self, literal: str) -> bool:
        return self.text.startswith(literal, self.at)
