"""The ledger's tables and every query over them.

Insert and select only: triggers of the database refuse UPDATE and DELETE (and, on SQLite, the
REPLACE that would delete without saying so). They are made with the tables; a migration emits the
same statements by :func:`append_only_statements`. What the triggers cannot stop, a person with
the file in hand, the hashes and the keyholder's own checkpoint show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, Session, SQLModel

from escrow.ground.database import UtcDateTime
from escrow.ground.digests import Sha256Hex
from escrow.ledger.errors import StreamBusy
from escrow.ledger.events import Event, Stream, StreamKind

# SQLite's own row number must be INTEGER; PostgreSQL's would end at two thousand million there.
_Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")

# Rows fetched at a time when the whole ledger is read: flat memory at any size.
READ_BATCH = 5_000


class EntryRow(SQLModel, table=True):
    """An event as written; the columns repeat what the signed bytes say, for finding it."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        sa.UniqueConstraint(
            "stream_kind", "stream_id", "stream_sequence", name="uq_ledger_entry_stream"
        ),
    )

    number: int | None = Field(default=None, sa_column=sa.Column(_Number, primary_key=True))
    entry_sha256: str = Field(max_length=64, unique=True)
    stream_kind: str = Field(max_length=16)
    stream_id: str = Field(max_length=80)
    stream_sequence: int = Field(sa_type=sa.BigInteger)
    type: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime)
    entry: bytes


class LeafRow(SQLModel, table=True):
    """A leaf of the tree: 128 bytes as in Sigsum, and the entry that it stands for."""

    __tablename__ = "ledger_leaf"

    leaf_index: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    entry_number: int = Field(
        sa_column=sa.Column(
            _Number, sa.ForeignKey("ledger_entry.number"), nullable=False, unique=True
        )
    )
    leaf: bytes


class NodeRow(SQLModel, table=True):
    """The hash of a whole subtree of 2^level leaves, level ≥ 1; it never changes."""

    __tablename__ = "ledger_node"
    __table_args__ = {"sqlite_with_rowid": False}

    level: int = Field(primary_key=True)
    position: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    hash: bytes


class CheckpointRow(SQLModel, table=True):
    """A checkpoint that the log signed, as the text of its note."""

    __tablename__ = "ledger_checkpoint"

    tree_size: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    note: str = Field(sa_type=sa.Text)
    signed_at: datetime = Field(sa_type=UtcDateTime)


_TABLES = (EntryRow, LeafRow, NodeRow, CheckpointRow)

# The columns of each table by which a REPLACE would find, and silently delete, an older row.
_KEYS: dict[str, tuple[str, ...]] = {
    "ledger_entry": (
        "number = NEW.number",
        "entry_sha256 = NEW.entry_sha256",
        "(stream_kind = NEW.stream_kind AND stream_id = NEW.stream_id"
        " AND stream_sequence = NEW.stream_sequence)",
    ),
    "ledger_leaf": ("leaf_index = NEW.leaf_index", "entry_number = NEW.entry_number"),
    "ledger_node": ("(level = NEW.level AND position = NEW.position)",),
    "ledger_checkpoint": ("tree_size = NEW.tree_size",),
}


def append_only_statements(dialect: str) -> list[str]:
    """Return the statements that make the ledger's tables refuse UPDATE and DELETE.

    Args:
        dialect: ``sqlite`` or ``postgresql``; run them after the tables exist.
    """
    return [text for table in _KEYS for text in _refusals(dialect, table)]


def _refusals(dialect: str, table: str) -> list[str]:
    if dialect == "postgresql":
        return [
            "CREATE OR REPLACE FUNCTION ledger_is_append_only() RETURNS trigger AS"
            " $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$ LANGUAGE plpgsql",
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()",
        ]
    refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    # A REPLACE deletes the row in its way without firing delete triggers; so it is met here.
    taken = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in _KEYS[table])  # noqa: S608 (our names)
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}",
    ]


def _statement(text: str, dialect: str) -> sa.DDL:
    return sa.DDL(text).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]


def _attach_triggers() -> None:
    for model in _TABLES:
        table = SQLModel.metadata.tables[str(model.__tablename__)]
        for dialect in ("sqlite", "postgresql"):
            for text in _refusals(dialect, table.name):
                sa.event.listen(table, "after_create", _statement(text, dialect))


_attach_triggers()

_ENTRY = SQLModel.metadata.tables["ledger_entry"]
_LEAF = SQLModel.metadata.tables["ledger_leaf"]
_NODE = SQLModel.metadata.tables["ledger_node"]
_CHECKPOINT = SQLModel.metadata.tables["ledger_checkpoint"]


@dataclass(frozen=True)
class StreamHead:
    """The newest entry of a stream."""

    sequence: int
    entry_sha256: Sha256Hex
    at: datetime


@dataclass(frozen=True)
class StoredEntry:
    """A row of the ledger: columns as stored, bytes as stored, nothing of it proven."""

    number: int
    entry_sha256: Sha256Hex
    stream_kind: str
    stream_id: str
    stream_sequence: int
    type: str
    at: datetime
    entry: bytes

    @property
    def stream(self) -> Stream:
        """The stream that the columns name."""
        return Stream(cast("StreamKind", self.stream_kind), self.stream_id)


@dataclass(frozen=True)
class StoredLeaf:
    """A leaf row."""

    leaf_index: int
    entry_number: int
    leaf: bytes


_ENTRY_COLUMNS = (
    _ENTRY.c.number,
    _ENTRY.c.entry_sha256,
    _ENTRY.c.stream_kind,
    _ENTRY.c.stream_id,
    _ENTRY.c.stream_sequence,
    _ENTRY.c.type,
    _ENTRY.c.at,
    _ENTRY.c.entry,
)

# Built once: constructing a statement costs as much as running it, and this is every append.
_STREAM_HEAD = (
    sa.select(_ENTRY.c.stream_sequence, _ENTRY.c.entry_sha256, _ENTRY.c.at)
    .where(
        _ENTRY.c.stream_kind == sa.bindparam("kind"),
        _ENTRY.c.stream_id == sa.bindparam("id"),
    )
    .order_by(_ENTRY.c.stream_sequence.desc())
    .limit(1)
)
_INSERT_ENTRY = sa.insert(_ENTRY)


def stream_head(session: Session, stream: Stream) -> StreamHead | None:
    """Return the newest entry of a stream, None when it has none."""
    row = session.connection().execute(_STREAM_HEAD, {"kind": stream.kind, "id": stream.id}).first()
    return None if row is None else StreamHead(row[0], Sha256Hex(row[1]), row[2])


def insert_entry(session: Session, event: Event, entry_sha256: Sha256Hex, entry: bytes) -> int:
    """Store an entry in the open transaction and return its number.

    Raises:
        StreamBusy: its place in the stream is taken.
    """
    values = {
        "entry_sha256": entry_sha256,
        "stream_kind": event.stream.kind,
        "stream_id": event.stream.id,
        "stream_sequence": event.sequence,
        "type": event.type,
        "at": event.at,
        "entry": entry,
    }
    try:
        result = session.connection().execute(_INSERT_ENTRY, values)
    except sa.exc.IntegrityError as problem:
        raise StreamBusy(str(event.stream)) from problem
    return cast("tuple[int]", result.inserted_primary_key)[0]
