"""The pages of docs/ that are written from tables in the code; a test holds them to it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import escrow
from builders.findings_page import findings_page
from escrow.endings.pages import endings_page
from escrow.ground.errors import EscrowError
from escrow.notices.pages import notices_page
from escrow.operations.database_roles_page import database_roles_page
from escrow.parties.permissions import table_as_markdown
from escrow.portal.problems import STATUS_OF_FAMILY
from escrow.releases.pages import requests_page
from escrow.verification.pages import ladder_page, states_page

DOCS = Path(__file__).resolve().parents[2] / "docs"

# Fakes have errors too, and migrations act when they are imported.
_NOT_SHIPPED = ("escrow.testing", "escrow.operations.migrations", "tests", "test_")

_GENERATED = "<!-- Written by `make docs` from the code; do not edit. -->\n\n"


def pages() -> Mapping[str, str]:
    """Return every generated page by its place below docs/."""
    return {
        "findings.md": findings_page(),
        "ladder.md": ladder_page(),
        "states.md": states_page() + "\n" + requests_page() + "\n" + endings_page(),
        "permissions.md": _GENERATED + "# Who may do what\n\n" + table_as_markdown(),
        "notices.md": _GENERATED + notices_page(),
        "database-roles.md": _GENERATED + database_roles_page(),
        "errors.md": _errors_page(),
    }


def write_pages() -> list[str]:
    """Write every generated page; return their names."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
    return sorted(pages())


def _errors_page() -> str:
    """Return the table of error codes with the statuses that carry them."""
    _load_all()
    rows = []
    for kind in _concrete(EscrowError):
        if "code" in kind.__dict__ and not kind.__module__.startswith(_NOT_SHIPPED):
            status = next(code for family, code in STATUS_OF_FAMILY if issubclass(kind, family))
            said = (kind.__doc__ or "").strip().partition("\n")[0]
            rows.append(f"| `{kind.code}` | {status} | {said} |")
    table = "\n".join(sorted(set(rows)))
    return f"{_GENERATED}# Errors\n\n| code | HTTP | what it says |\n|---|---|---|\n{table}\n"


def _load_all() -> None:
    """Import every module of the service: an error that nobody imported would be left out."""
    for module in pkgutil.walk_packages(escrow.__path__, "escrow."):
        if not module.name.startswith(_NOT_SHIPPED) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _concrete(kind: type[EscrowError]) -> list[type[EscrowError]]:
    found = []
    for child in kind.__subclasses__():
        found += [child, *_concrete(child)]
    return found
