"""What the command line prints: sentences for people, one JSON document for machines.

``--json`` is understood anywhere on the line and by every command.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from escrow.ground.errors import (
    EscrowError,
    NotAuthenticated,
    NotFound,
    Tampered,
    Unavailable,
)

# What a shell script reads: it holds, it does not, it could not be told.
EXIT_HOLDS = 0
EXIT_DOES_NOT = 1
EXIT_COULD_NOT_TELL = 2

# Complaints on what was never asked, because the line, a file, a setting or a key was not what it
# takes: beginnings of their codes. They say nothing about the thing that was asked about.
_NEVER_ASKED = ("cli.", "key.", "settings.", "vault.bad-identity", "vault.wrong-passphrase")

JSON_FLAG = "--json"

# Not in the environment: a process that a command starts would print a document of its own.
_json_wanted: ContextVar[bool] = ContextVar("json_wanted", default=False)

# Between two columns of a table.
_GAP = "  "
# A list that is longer stands one item a line: a release certificate names some fifty subjects.
_WIDEST_LIST = 100


def take_json_flag(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without ``--json``, remembering that it was there."""
    # What follows "--" is a name, even when it looks like an option.
    names = list(arguments).index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:names] if argument != JSON_FLAG]
    kept += arguments[names:]
    _json_wanted.set(len(kept) != len(arguments))
    return kept


def wants_json() -> bool:
    """Tell whether the caller asked for JSON."""
    return _json_wanted.get()


def say(sentence: str) -> None:
    """Print a sentence for people; nothing when JSON is wanted."""
    if not wants_json():
        _print(sentence)


def complain(sentence: str) -> None:
    """Print a sentence on what goes wrong or on, beside the result."""
    # Nobody reads it any more: what the command does is no less done for that.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{_harmless(sentence)}\n")


def give(document: Mapping[str, object] | Sequence[object], sentence: str | None = None) -> None:
    """Print the result: the document for machines, the sentence (or fields) for people."""
    if wants_json():
        sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    elif sentence is not None:
        _print(sentence)
    elif isinstance(document, Mapping):
        give_fields(document)
    else:
        for item in document:
            _print(str(item))


def give_exactly(document: Mapping[str, object], text: str) -> None:
    """Print a text byte for byte, whatever is in it; the document for machines."""
    if wants_json():
        give(document)
    else:
        sys.stdout.write(text)


def give_fields(document: Mapping[str, object]) -> None:
    """Print a mapping as aligned lines, leaving empty values out; a long list one item a line."""
    shown = {
        name.replace("_", " "): _lines_of(value)
        for name, value in document.items()
        if value is not None and value not in ("", [], {})
    }
    width = max(map(len, shown), default=0)
    for name, lines in shown.items():
        for place, line in enumerate(lines):
            _print(f"{'' if place else name:<{width}}  {line}")


def value_text(value: object) -> str:
    """Return a value as people read it: yes and no, lists and mappings without brackets."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            told = ((name, value_text(one)) for name, one in value.items())
            return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in told if text)
        case list() | tuple():
            return "; ".join(map(value_text, value))
        case _:
            return str(value)


def _lines_of(value: object) -> list[str]:
    text = value_text(value)
    if isinstance(value, list | tuple) and len(text) > _WIDEST_LIST:
        return [value_text(one) for one in value]
    return [text]


def give_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], nothing: str) -> None:
    """Print rows as a table for people, as they are for machines."""
    if wants_json():
        sys.stdout.write(json.dumps(list(rows), indent=2, default=str) + "\n")
        return
    if not rows:
        _print(nothing)
        return
    head = [column.replace("_", " ") for column in columns]
    lines = [head, *([value_text(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = (f"{text:<{width}}" for text, width in zip(line, widths, strict=True))
        _print(_GAP.join(cells).rstrip())


def report_error(error: EscrowError) -> int:
    """Print an error with its remedy and return the exit code.

    With ``--json`` the problem object is the document; whoever reads the terminal or a log of the
    errors meets the sentence all the same.
    """
    places = _places_of(error)
    complain(f"escrow: {error.reason}")
    for place in places:
        complain(f"  {place_text(place)}")
    complain(f"  {error.remedy} [{error.code}]")
    if wants_json():
        document: dict[str, object] = {
            "code": error.code,
            "reason": error.reason,
            "remedy": error.remedy,
        }
        if places:
            document["detail"] = places
        # It may be the output itself that is wrong; then the sentence was all that could be said.
        with contextlib.suppress(OSError):
            sys.stdout.write(json.dumps({"error": document}, indent=2) + "\n")
    return exit_code_of(error)


def exit_code_of(error: EscrowError) -> int:
    """Return what a script is told of an error.

    1 is a statement on the thing that was asked about, or a refusal; a question that nobody could
    ask or answer, because the token, a file, the thing or the service is not there, is 2: a gate
    that reads 1 as "it does not hold" must not be told so by a mistyped path.
    """
    if isinstance(error, (Unavailable, NotAuthenticated, NotFound)):
        return EXIT_COULD_NOT_TELL
    never_asked = error.code.startswith(_NEVER_ASKED) and not isinstance(error, Tampered)
    return EXIT_COULD_NOT_TELL if never_asked else EXIT_DOES_NOT


def place_text(place: Mapping[str, object]) -> str:
    """Return one place in the input that is wrong: where, what, and what to do."""
    line = f"line {place['line']}: " if place.get("line") else ""
    severity = f"{place['severity']}: " if place.get("severity") else ""
    reason = place.get("reason") or f"{place.get('place')}: {place.get('problem')}"
    code = f" [{place['code']}]" if place.get("code") else ""
    return f"{line}{severity}{reason} {place.get('remedy') or ''}".rstrip() + code


def _places_of(error: EscrowError) -> list[dict[str, object]]:
    """Return the places that an error names: the service's answer has them, or it was ours."""
    sent = getattr(error, "detail", None)
    if isinstance(sent, list):
        # Another program's answer may have anything there.
        return [dict(one) for one in sent if isinstance(one, dict)]
    return [dataclasses.asdict(one) for one in getattr(error, "problems", None) or ()]


def _print(text: str) -> None:
    sys.stdout.write(f"{_harmless(text)}\n")


def _harmless(text: str) -> str:
    """Return the text without what would steer a terminal; some of it was written by others."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
