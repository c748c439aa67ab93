"""Read from JavaScript which files of its own package a file imports whenever it is loaded.

Comments, strings, templates and regular expressions are told apart and brackets are counted;
nothing is evaluated. What stands in a bracket is not looked at: it may never run. A file that
cannot be followed to its end says nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NEXT = re.compile(r"//|/\*|[\w$]+|=>|\S")
_STRING = re.compile(r"'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"", re.DOTALL)
_TEMPLATE = re.compile(r"[`}][^`\\$]*(?:(?:\\.|\$(?!\{))[^`\\$]*)*(`|\$\{)", re.DOTALL)
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_CLOSES = {")": "(", "]": "[", "}": "{"}
# Behind these words an expression begins, so that a slash begins a pattern.
_BEFORE_EXPRESSION_WORDS = """
    return typeof case do else in of void delete throw new instanceof yield await
"""
_BEFORE_EXPRESSION = frozenset(_BEFORE_EXPRESSION_WORDS.split())
_CONDITIONS = frozenset(("if", "while", "for", "with"))
_HEAD_WORDS = "const let var module exports require import export throw"
_HEADS = frozenset(_HEAD_WORDS.split())
_DECLARES = ("const", "let", "var")
_STATEMENT_WORDS_MAX = 12
_REQUIRES = re.compile(
    r"(?:(?:(?:const|let|var) (?:[\w$]+|\{ \}|\[ \])|module \. exports|exports(?: \. [\w$]+)?) = )?"
    r"require \("
)
_IMPORTS = re.compile(r"import|(?:import|export)(?: [\w$*{},]+)+ from")


class Unclear(Exception):
    """The text cannot be followed."""


class _Token(NamedTuple):
    kind: str  # word, string, sign or value
    text: str
    depth: int
    ends_condition: bool = False


class _Scanner:
    """Yields the tokens of a text, each with the number of brackets that it stands in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[tuple[str, bool]] = []
        self._last = _Token("sign", ";", 0)

    def tokens(self) -> Iterator[_Token]:
        """Yield them.

        Raises:
            Unclear: see there.
        """
        at = self._text.find("\n") + 1 if self._text.startswith("#!") else 0
        while (found := _NEXT.search(self._text, at)) is not None:
            start, sign = found.start(), found[0]
            if sign in ("//", "/*"):
                at = self._behind(start, "\n" if sign == "//" else "*/")
                continue
            token, at = self._token(start, sign)
            self._last = token
            yield token
        if self._open:
            raise Unclear

    def _behind(self, start: int, end: str) -> int:
        at = self._text.find(end, start + 2)
        if at < 0 and end == "*/":
            raise Unclear
        return at + len(end) if at >= 0 else len(self._text)

    def _token(self, start: int, sign: str) -> tuple[_Token, int]:
        if sign in "'\"":
            found = self._whole(_STRING, start)
            return _Token("string", found[0][1:-1], len(self._open)), found.end()
        if sign == "`" or (sign == "}" and self._open[-1:] == [("`", False)]):
            return self._template(start)
        if sign == "/" and self._begins_pattern():
            return _Token("value", "/", len(self._open)), self._whole(_PATTERN, start).end()
        if sign in "([{":
            condition = self._last.text in _CONDITIONS and self._last.kind == "word"
            self._open.append((sign, condition))
            return _Token("sign", sign, len(self._open) - 1), start + 1
        if sign in _CLOSES:
            return self._closed(sign), start + 1
        kind = "word" if sign[0].isalnum() or sign[0] in "_$" else "sign"
        return _Token(kind, sign, len(self._open)), start + len(sign)

    def _whole(self, pattern: re.Pattern[str], start: int) -> re.Match[str]:
        found = pattern.match(self._text, start)
        if found is None:
            raise Unclear
        return found

    def _template(self, start: int) -> tuple[_Token, int]:
        if self._text[start] == "}":
            self._open.pop()
        found = self._whole(_TEMPLATE, start)
        token = _Token("value", "`", len(self._open))
        if found[1] == "${":
            self._open.append(("`", False))
            token = _Token("sign", "${", len(self._open))
        return token, found.end()

    def _closed(self, sign: str) -> _Token:
        if not self._open or self._open[-1][0] != _CLOSES[sign]:
            raise Unclear
        _, condition = self._open.pop()
        return _Token("sign", sign, len(self._open), condition)

    def _begins_pattern(self) -> bool:
        last = self._last
        if last.kind == "word":
            return last.text in _BEFORE_EXPRESSION
        return last.kind == "sign" and (last.text not in (")", "]") or last.ends_condition)


def own_imports(text: str) -> list[str]:
    """Return the relative addresses that a file imports when it is loaded, in any case."""
    try:
        found = list(_imports(_Scanner(text).tokens()))
    except Unclear:
        return []
    return [address for address in found if address.startswith(("./", "../"))]


def _imports(tokens: Iterator[_Token]) -> Iterator[str]:
    statement: list[str] = []
    last, required = _Token("sign", ";", 0), ""
    for token in tokens:
        if token.text == ")" and required:
            yield required
        required = ""
        if token.depth == 0 and token.kind == "word":
            begins = _may_begin(token, last)
            if token.text == "return" or (begins and token.text == "throw"):
                return
            statement = [] if begins else statement
        words = " ".join(statement)
        if token.kind == "string" and token.depth == 0 and _IMPORTS.fullmatch(words):
            yield token.text
        if token.kind == "string" and token.depth == 1 and last.text == "(":
            required = token.text if _REQUIRES.fullmatch(words) else ""
        if token.depth == 0:
            statement = _continued(statement, token)
        last = token


def _may_begin(token: _Token, last: _Token) -> bool:
    if token.text not in _HEADS:
        return False
    if last.kind == "word":
        return last.text not in _BEFORE_EXPRESSION and last.text not in _HEADS
    return last.kind != "sign" or (last.text in ";)]}" and not last.ends_condition)


def _continued(statement: list[str], token: _Token) -> list[str]:
    if token.text == "," and statement[:1] and statement[0] in _DECLARES:
        return statement[:1]
    if token.text == ";":
        return []
    return [*statement, token.text] if len(statement) < _STATEMENT_WORDS_MAX else statement
