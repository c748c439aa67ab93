"""What the command line prints: sentences for people, one JSON document for machines.

``--json`` is understood anywhere on the line and by every command.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from escrow.ground.errors import EscrowError, Unavailable

# What a shell script reads: it holds, it does not, it could not be told.
EXIT_HOLDS = 0
EXIT_DOES_NOT = 1
EXIT_COULD_NOT_TELL = 2

JSON_FLAG = "--json"
_JSON = "ESCROW_OUTPUT_JSON"

people = Console(highlight=False, soft_wrap=True)
complaints = Console(stderr=True, highlight=False, soft_wrap=True)


def take_json_flag(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without ``--json``, remembering that it was there."""
    kept = [argument for argument in arguments if argument != JSON_FLAG]
    if len(kept) != len(arguments):
        os.environ[_JSON] = "1"
    return kept


def wants_json() -> bool:
    """Tell whether the caller asked for JSON."""
    return os.environ.get(_JSON) == "1"


def say(sentence: str) -> None:
    """Print a sentence for people; nothing when JSON is wanted."""
    if not wants_json():
        people.print(sentence, markup=False)


def give(document: Mapping[str, object] | Sequence[object], sentence: str | None = None) -> None:
    """Print the result: the document for machines, the sentence (or fields) for people."""
    if wants_json():
        sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    elif sentence is not None:
        people.print(sentence, markup=False)
    elif isinstance(document, Mapping):
        give_fields(document)
    else:
        for item in document:
            people.print(str(item), markup=False)


def give_fields(document: Mapping[str, object]) -> None:
    """Print a mapping as aligned lines, leaving empty values out."""
    width = max((len(name) for name in document), default=0)
    for name, value in document.items():
        if value is None or value in ("", [], {}):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        people.print(f"{name.replace('_', ' '):<{width}}  {text}", markup=False)


def give_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], nothing: str) -> None:
    """Print rows as a table for people, as they are for machines."""
    if wants_json():
        sys.stdout.write(json.dumps(list(rows), indent=2, default=str) + "\n")
        return
    if not rows:
        people.print(nothing, markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row.get(name)) for name in columns))
    people.print(table)


def report_error(error: EscrowError) -> int:
    """Print an error with its remedy and return the exit code."""
    if wants_json():
        document: dict[str, object] = {
            "code": error.code,
            "reason": error.reason,
            "remedy": error.remedy,
        }
        detail = getattr(error, "detail", None)
        if detail:
            document["detail"] = detail
        sys.stdout.write(json.dumps({"error": document}, indent=2) + "\n")
    else:
        complaints.print(f"escrow: {error.reason}", markup=False)
        for place in getattr(error, "detail", None) or ():
            line = f"line {place['line']}: " if place.get("line") else ""
            text = place.get("reason") or f"{place.get('place')}: {place.get('problem')}"
            complaints.print(f"  {line}{text} {place.get('remedy', '')}".rstrip(), markup=False)
        complaints.print(f"  {error.remedy} [{error.code}]", markup=False)
    return EXIT_COULD_NOT_TELL if isinstance(error, Unavailable) else EXIT_DOES_NOT
