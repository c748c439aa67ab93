"""What each process may do in a PostgreSQL database: one table, from which the grants are made.

The owner of the tables migrates and is no process. Each process connects as a role of its own and
has what stands here and nothing more: nobody changes or deletes what the ledger holds, only the
keyholder writes leaves, checkpoints and headers, and no other process writes a verdict than the
worker. On SQLite there are no roles (docs/decisions/0001).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from escrow.ground.database import Database
from escrow.ground.errors import InvalidInput
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.wire import PORTAL, WORKER
from escrow.operations.tables import metadata

# Roles belong to the whole server, so their names say whose they are.
PREFIX: Final = "escrow_"
PROCESSES: Final = (PORTAL, WORKER, KEYHOLDER)

# The engine's own tables; the keyholder has no jobs.
_JOBS: Final = "dbos"


class Rights(NamedTuple):
    """What a process may do with a table beside reading it.

    Args:
        insert: add rows.
        update: columns that it may change; every one where ``*`` stands.
        delete: remove rows.
    """

    insert: bool = False
    update: tuple[str, ...] = ()
    delete: bool = False


_ADDS = Rights(insert=True)
_KEEPS = Rights(insert=True, update=("*",))
_OWNS = Rights(insert=True, update=("*",), delete=True)

# Of these a process reads only what it needs: tokens and answers are the portal's, a share sealed
# to an agent is nobody's business but his, papers are the parties'.
UNREAD: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PORTAL: frozenset(),
        WORKER: frozenset(
            {
                "canary_share",
                "custody_answer",
                "custody_item",
                "custody_liveness",
                "custody_session",
                "destruction_certificate",
                "ending_paper",
                "idempotency_key",
                "release_certificate",
                "release_paper",
                "release_round",
                "release_share",
                "released_header",
                "share_deal",
                "token",
                "upload",
            }
        ),
        KEYHOLDER: frozenset(
            {
                "canary_share",
                "ending_paper",
                "finding",
                "idempotency_key",
                "job_executor",
                "notice",
                "release_paper",
                "token",
                "upload",
            }
        ),
    }
)

RIGHTS: Mapping[str, Mapping[str, Rights]] = MappingProxyType(
    {
        PORTAL: {
            "acceptance": _ADDS,
            "agreement": _ADDS,
            "agreement_party": _ADDS,
            "agreement_product": _ADDS,
            "agreement_version": Rights(insert=True, update=("in_force_at",)),
            "canary_opening": _ADDS,
            "canary_share": _KEEPS,
            "custody_answer": _ADDS,
            "custody_item": _ADDS,
            "custody_session": _ADDS,
            "deposit": _KEEPS,
            "doomed_payload": Rights(update=("removed_at", "locked_until")),
            "ending": _KEEPS,
            "ending_paper": _ADDS,
            "idempotency_key": _OWNS,
            "ledger_entry": _ADDS,
            "member": Rights(insert=True, update=("roles", "removed_at", "name", "email")),
            "member_key": _ADDS,
            # Only for an erasure: how far a notice got is the worker's to say.
            "notice": Rights(insert=True, update=("address", "salt", "answer")),
            "organisation": _ADDS,
            "part": _OWNS,
            "product": _ADDS,
            "product_material": _ADDS,
            "product_ref": _ADDS,
            "product_repository": _ADDS,
            "recipient_canary": _KEEPS,
            "release_paper": _ADDS,
            "release_request": _KEEPS,
            "release_share": _KEEPS,
            "sealing_epoch": Rights(update=("canary_opened_at",)),
            "token": Rights(insert=True, update=("last_used_at", "revoked_at")),
            "trust_root_vouch": _ADDS,
            "untimed_signature": _ADDS,
            "upload": _OWNS,
        },
        WORKER: {
            # Notes of what is stored where, and of the scrub's runs.
            "blob_copy": _OWNS,
            # Changed where an archive was lost and the image exported anew.
            "builder_image": _KEEPS,
            "document": _ADDS,
            "examination": _KEEPS,
            "finding": _OWNS,
            "header_copy": _OWNS,
            "job_executor": _OWNS,
            "kit_image": _ADDS,
            "missing_deposit": _ADDS,
            "paper_timestamp": _ADDS,
            "ledger_cosignature": _ADDS,
            "ledger_entry": _ADDS,
            "ledger_timestamp": _ADDS,
            "notice": Rights(
                insert=True,
                update=(
                    "attempts",
                    "first_attempt_at",
                    "next_attempt_at",
                    "message_id",
                    "answer",
                    "sent_at",
                    "failed_at",
                ),
            ),
            "release_rereading": _ADDS,
            "report": _KEEPS,
            "scrub_run": _KEEPS,
            # What its papers wait for, and what it got for all of them.
            "untimed_signature": Rights(insert=True, delete=True),
        },
        KEYHOLDER: {
            "custody_item": Rights(
                update=(
                    "epoch",
                    "k",
                    "n",
                    "version",
                    "text_sha256",
                    "intended_sha256",
                    "fresh_epoch",
                    "done_at",
                )
            ),
            "custody_liveness": _KEEPS,
            "custody_reopening": Rights(insert=True, update=("sealed_keys",)),
            "custody_session": Rights(
                update=(
                    "nonce",
                    "items_root",
                    "entry_sha256",
                    "recipient",
                    "key_id",
                    "sealed_identity",
                    "opened_at",
                    "ends_at",
                    "ended_at",
                )
            ),
            "agreement_end": _ADDS,
            # A deposit that was shredded is none that anything is carried from.
            "deposit": Rights(update=("state",)),
            "destruction_certificate": _ADDS,
            "document": Rights(delete=True),
            "documents_key": _ADDS,
            "doomed_payload": _ADDS,
            # Nobody else takes away what opens a payload.
            "header_record": Rights(insert=True, delete=True),
            "lane": Rights(
                insert=True,
                update=("headers_entry_sha256", "closes_at", "closed_at", "sealed_identity"),
            ),
            "ledger_checkpoint": _ADDS,
            "ledger_entry": _ADDS,
            "ledger_leaf": _ADDS,
            "ledger_leaf_hash": _ADDS,
            "ledger_node": _ADDS,
            "release_certificate": _ADDS,
            "release_round": Rights(insert=True, update=("sealed_identity",)),
            "released_header": _ADDS,
            "sealing_epoch": Rights(insert=True, update=("burnt_at",)),
            "share_deal": _ADDS,
            "untimed_signature": _ADDS,
        },
    }
)


def role_name(process: str) -> str:
    """Return the name of a process's role."""
    return f"{PREFIX}{process}"


class NoRolePassword(InvalidInput):
    """The password of a process's database user cannot be read."""

    code = "database.no-role-password"


def role_passwords(folder: Path | None) -> dict[str, str]:
    """Return the passwords by process, from the files ``database-<process>`` of a folder.

    Args:
        folder: None where the roles' passwords are set by somebody else.

    Raises:
        NoRolePassword: a file is missing or empty.
    """
    if folder is None:
        return {}
    found = {}
    for process in PROCESSES:
        path = folder / f"database-{process}"
        try:
            found[process] = path.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, ValueError):
            found[process] = ""
        if not found[process]:
            raise NoRolePassword(
                f"There is no password in {path}.",
                "Write one there, one line; scripts/make-secrets.sh makes all three.",
            )
    return found


def give_rights(database: Database, passwords: Mapping[str, str]) -> None:
    """Make the roles where they are missing, and give each exactly its rights; safe to run again.

    Does nothing on SQLite.

    Args:
        database: connected as the owner of the tables, who may make roles.
        passwords: by process; a role that none is given for keeps the one it has, and a new one
            cannot log in by password.
    """
    if database.is_sqlite:
        return
    with database.writer.begin() as connection:
        driver = connection.connection.driver_connection
        for process in PROCESSES:
            role = role_name(process)
            known = "SELECT 1 FROM pg_roles WHERE rolname = %s"
            if connection.exec_driver_sql(known, (role,)).first() is None:
                connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
            if process in passwords:
                # Hashed here, so that no log of the server ever sees it.
                hashed = driver.pgconn.encrypt_password(  # type: ignore[union-attr]
                    passwords[process].encode(), role.encode(), b"scram-sha-256"
                ).decode()
                connection.exec_driver_sql(f"ALTER ROLE {role} PASSWORD '{hashed}'")
        for statement in grants():
            connection.exec_driver_sql(statement)


def grants() -> Iterator[str]:
    """Yield the statements that take every right away, and give back those of the table."""
    # PUBLIC too: what somebody granted to all by hand, a role would have beside the table.
    everybody = ", ".join(["PUBLIC", *(role_name(process) for process in PROCESSES)])
    for schema in ("public", _JOBS):
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {everybody}"
        yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {everybody}"
    for process in PROCESSES:
        role = role_name(process)
        for table in sorted(metadata.tables):
            if table not in UNREAD[process]:
                yield f"GRANT SELECT ON {table} TO {role}"
            yield from _writing(role, table, RIGHTS[process].get(table, Rights()))
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    for process in (PORTAL, WORKER):
        role = role_name(process)
        yield f"GRANT USAGE ON SCHEMA {_JOBS} TO {role}"
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {_JOBS} TO {role}"
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {_JOBS} TO {role}"


def _writing(role: str, table: str, rights: Rights) -> Iterator[str]:
    if rights.insert:
        yield f"GRANT INSERT ON {table} TO {role}"
    if rights.update == ("*",):
        yield f"GRANT UPDATE ON {table} TO {role}"
    elif rights.update:
        yield f"GRANT UPDATE ({', '.join(rights.update)}) ON {table} TO {role}"
    if rights.delete:
        yield f"GRANT DELETE ON {table} TO {role}"
