"""The pages of docs/ that are written from tables in the code; a test holds them to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builders.findings_page import findings_page
from escrow.ground.errors import EscrowError
from escrow.parties.permissions import table_as_markdown
from escrow.portal.problems import STATUS_OF_FAMILY
from escrow.verification.pages import ladder_page, states_page

DOCS = Path(__file__).resolve().parents[2] / "docs"

_GENERATED = "<!-- Written by `make docs` from the code; do not edit. -->\n\n"


def pages() -> Mapping[str, str]:
    """Return every generated page by its place below docs/."""
    return {
        "findings.md": findings_page(),
        "ladder.md": ladder_page(),
        "states.md": states_page(),
        "permissions.md": _GENERATED + "# Who may do what\n\n" + table_as_markdown(),
        "errors.md": _errors_page(),
    }


def write_pages() -> list[str]:
    """Write every generated page; return their names."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
    return sorted(pages())


def _errors_page() -> str:
    """Return the table of error codes with the statuses that carry them."""
    from escrow.operations.keyholder import wire
    from escrow.portal import app

    del app, wire
    rows = []
    for kind in _concrete(EscrowError):
        if "code" in kind.__dict__:
            status = next(code for family, code in STATUS_OF_FAMILY if issubclass(kind, family))
            said = (kind.__doc__ or "").strip().partition("\n")[0]
            rows.append(f"| `{kind.code}` | {status} | {said} |")
    table = "\n".join(sorted(set(rows)))
    return f"{_GENERATED}# Errors\n\n| code | HTTP | what it says |\n|---|---|---|\n{table}\n"


def _concrete(kind: type[EscrowError]) -> list[type[EscrowError]]:
    found = []
    for child in kind.__subclasses__():
        found += [child, *_concrete(child)]
    return found
