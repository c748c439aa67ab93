"""The page of database rights, written from the table that the grants are made from."""

from __future__ import annotations

from escrow.operations.database_roles import PROCESSES, RIGHTS, UNREAD, Rights, role_name
from escrow.operations.tables import metadata

_ABOVE = """\
# Rights in the database

On PostgreSQL each process connects as a role of its own. `escrow admin migrate`, run by the owner
of the tables, takes every right away and gives back what stands here
(`escrow/operations/database_roles.py`). An empty field may not even be read; *change* with names
in brackets holds for these columns alone. Nobody changes or deletes a row of the ledger, and the
owner's triggers refuse it besides. The engine's own tables (schema `dbos`) are the portal's and
the worker's. On SQLite there are no roles
([decision 1](decisions/0001-two-processes-one-file.md)).
"""


def database_roles_page() -> str:
    """Return what each role may do with each table, as Markdown."""
    heads = " | ".join(f"`{role_name(process)}`" for process in PROCESSES)
    lines = [_ABOVE, f"| table | {heads} |", "|---|" + "---|" * len(PROCESSES)]
    for table in sorted(metadata.tables):
        cells = (_cell(process, table) for process in PROCESSES)
        lines.append(f"| `{table}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(process: str, table: str) -> str:
    rights = RIGHTS[process].get(table, Rights())
    may = [] if table in UNREAD[process] else ["read"]
    if rights.insert:
        may.append("add")
    if rights.update == ("*",):
        may.append("change")
    elif rights.update:
        may.append(f"change ({', '.join(f'`{column}`' for column in rights.update)})")
    if rights.delete:
        may.append("delete")
    return ", ".join(may)
