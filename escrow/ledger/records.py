"""The ledger's tables and every query over them.

Insert and select only: triggers of the database refuse UPDATE and DELETE (and, on SQLite, the
REPLACE that would delete without saying so). They are made with the tables; a migration emits the
same statements by :func:`append_only_statements`. What the triggers cannot stop, a person with
the file in hand, the hashes and the keyholder's own checkpoint show.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, Session, SQLModel

from escrow.ground.database import UtcDateTime
from escrow.ground.digests import Sha256Hex
from escrow.ledger.errors import StreamBusy
from escrow.ledger.events import MAX_INTEGER, Event, Stream
from escrow.ledger.leaves import LEAF_BYTES
from escrow.ledger.merkle import leaf_hash, node_place
from escrow.ledger.rows import StoredEntry, StoredLeaf, StreamHead, TreeRow

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
    # Not indexed: the leaf, made later and in batches, finds an entry by its digest.
    entry_sha256: str = Field(max_length=64)
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
    leaf: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False, unique=True))


class NodeRow(SQLModel, table=True):
    """The hash of a whole inner subtree, by the order of completion; it never changes."""

    __tablename__ = "ledger_node"

    place: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
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
        "(stream_kind = NEW.stream_kind AND stream_id = NEW.stream_id"
        " AND stream_sequence = NEW.stream_sequence)",
    ),
    "ledger_leaf": (
        "leaf_index = NEW.leaf_index",
        "entry_number = NEW.entry_number",
        "leaf = NEW.leaf",
    ),
    "ledger_node": ("place = NEW.place",),
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


def stream_head(session: Session, stream: Stream) -> StreamHead | None:
    """Return the newest entry of a stream, None when it has none."""
    row = _run(session, _STREAM_HEAD, {"kind": stream.kind, "id": stream.id}).fetchone()
    return None if row is None else StreamHead(row[0], Sha256Hex(row[1]), _read_moment(row[2]))


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
        rows = _run(session, _INSERT_ENTRY, values).fetchall()
    except (sa.exc.IntegrityError, sqlite3.IntegrityError) as problem:
        raise StreamBusy(str(event.stream)) from problem
    return int(rows[0][0])


def pending_entries(session: Session, above_number: int, limit: int) -> list[StoredEntry]:
    """Return entries above a number that have no leaf yet, in order of insertion."""
    statement = (
        sa.select(*_ENTRY_COLUMNS)
        .outerjoin_from(_ENTRY, _LEAF, _LEAF.c.entry_number == _ENTRY.c.number)
        .where(_ENTRY.c.number > above_number, _LEAF.c.leaf_index.is_(None))
        .order_by(_ENTRY.c.number)
        .limit(limit)
    )
    return [_stored(row) for row in session.connection().execute(statement)]


def entry_before(session: Session, row: StoredEntry) -> StreamHead | None:
    """Return the entry before this one in its stream, None when there is none."""
    statement = sa.select(_ENTRY.c.stream_sequence, _ENTRY.c.entry_sha256, _ENTRY.c.at).where(
        _ENTRY.c.stream_kind == row.stream_kind,
        _ENTRY.c.stream_id == row.stream_id,
        _ENTRY.c.stream_sequence == row.stream_sequence - 1,
    )
    found = session.connection().execute(statement).first()
    return None if found is None else StreamHead(found[0], Sha256Hex(found[1]), found[2])


def stream_entries(
    session: Session, stream: Stream, from_sequence: int, limit: int
) -> list[StoredEntry]:
    """Return entries of a stream from a sequence number on."""
    statement = (
        sa.select(*_ENTRY_COLUMNS)
        .where(
            _ENTRY.c.stream_kind == stream.kind,
            _ENTRY.c.stream_id == stream.id,
            _ENTRY.c.stream_sequence >= from_sequence,
        )
        .order_by(_ENTRY.c.stream_sequence)
        .limit(limit)
    )
    return [_stored(row) for row in session.connection().execute(statement)]


def entries_by_stream(session: Session) -> Iterator[StoredEntry]:
    """Yield every entry, stream by stream, each in order of sequence."""
    place = sa.tuple_(_ENTRY.c.stream_kind, _ENTRY.c.stream_id, _ENTRY.c.stream_sequence)
    statement = sa.select(*_ENTRY_COLUMNS).order_by(
        _ENTRY.c.stream_kind, _ENTRY.c.stream_id, _ENTRY.c.stream_sequence
    )
    page = statement.limit(READ_BATCH)
    while rows := [_stored(row) for row in session.connection().execute(page)]:
        yield from rows
        last = rows[-1]
        page = statement.where(
            place > sa.tuple_(last.stream_kind, last.stream_id, last.stream_sequence)
        ).limit(READ_BATCH)


def insert_leaves(
    session: Session, leaves: Sequence[StoredLeaf], first_place: int, inner: Sequence[bytes]
) -> None:
    """Store leaves, and the inner hashes that they made from a place on."""
    connection = session.connection()
    connection.execute(sa.insert(_LEAF), [vars(one) for one in leaves])
    if inner:
        rows = [{"place": place, "hash": one} for place, one in enumerate(inner, first_place)]
        connection.execute(sa.insert(_NODE), rows)


def insert_checkpoint(session: Session, tree_size: int, note: str, signed_at: datetime) -> None:
    """Store a checkpoint."""
    session.connection().execute(
        sa.insert(_CHECKPOINT), {"tree_size": tree_size, "note": note, "signed_at": signed_at}
    )


def newest_checkpoint(session: Session) -> tuple[int, str] | None:
    """Return size and note of the newest checkpoint."""
    statement = (
        sa.select(_CHECKPOINT.c.tree_size, _CHECKPOINT.c.note)
        .order_by(_CHECKPOINT.c.tree_size.desc())
        .limit(1)
    )
    row = session.connection().execute(statement).first()
    return None if row is None else (row[0], row[1])


def all_checkpoints(session: Session) -> Iterator[tuple[int, str]]:
    """Yield size and note of every checkpoint, smallest first."""
    statement = sa.select(_CHECKPOINT.c.tree_size, _CHECKPOINT.c.note)
    after = -1
    while rows := (
        session.connection()
        .execute(
            statement.where(_CHECKPOINT.c.tree_size > after)
            .order_by(_CHECKPOINT.c.tree_size)
            .limit(READ_BATCH)
        )
        .all()
    ):
        yield from ((row[0], row[1]) for row in rows)
        after = rows[-1][0]


def leaf_of(session: Session, entry_sha256: str) -> tuple[bytes, StoredLeaf] | None:
    """Return an entry's bytes and its leaf, None when there is no such entry or leaf.

    A leaf begins with its checksum, so the index over leaves is one over entries' digests.
    """
    try:
        checksum = hashlib.sha256(bytes.fromhex(entry_sha256)).digest()
    except ValueError:
        return None
    statement = (
        sa.select(_ENTRY.c.entry, _LEAF.c.leaf_index, _LEAF.c.entry_number, _LEAF.c.leaf)
        .join_from(_LEAF, _ENTRY, _LEAF.c.entry_number == _ENTRY.c.number)
        .where(_LEAF.c.leaf >= checksum, _LEAF.c.leaf < checksum + b"\xff" * LEAF_BYTES)
        .limit(1)
    )
    row = session.connection().execute(statement).first()
    return None if row is None else (row[0], StoredLeaf(row[1], row[2], row[3]))


def subtree_hashes(
    session: Session, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """Return the stored hashes of whole subtrees by (level, position); absent ones are left out.

    Level 0 is computed from the leaves themselves, so that no hash of a leaf can contradict it.
    """
    connection = session.connection()
    leaves = [position for level, position in places if level == 0]
    found = {
        (0, row[0]): leaf_hash(row[1])
        for row in connection.execute(
            sa.select(_LEAF.c.leaf_index, _LEAF.c.leaf).where(_LEAF.c.leaf_index.in_(leaves))
        )
    }
    inner = {node_place(*place): place for place in places if place[0] > 0}
    statement = sa.select(_NODE.c.place, _NODE.c.hash).where(_NODE.c.place.in_(list(inner)))
    return found | {inner[row[0]]: row[1] for row in connection.execute(statement)}


def leaves_between(session: Session, start: int, end: int) -> list[bytes]:
    """Return the leaves start…end-1, as many of them as there are."""
    statement = (
        sa.select(_LEAF.c.leaf)
        .where(_LEAF.c.leaf_index >= start, _LEAF.c.leaf_index < end)
        .order_by(_LEAF.c.leaf_index)
    )
    return list(session.connection().execute(statement).scalars())


def inner_hashes(session: Session, first_place: int, end_place: int) -> list[bytes]:
    """Return the stored inner hashes from a place on to before another, in order."""
    statement = (
        sa.select(_NODE.c.hash)
        .where(_NODE.c.place >= first_place, _NODE.c.place < end_place)
        .order_by(_NODE.c.place)
    )
    return list(session.connection().execute(statement).scalars())


def tree_batches(session: Session) -> Iterator[Sequence[TreeRow]]:
    """Yield every leaf with its entry, by leaf index, some thousand at a time."""
    after = -MAX_INTEGER
    while rows := _run(session, _TREE_PAGE, {"after": after}).fetchall():
        # Plain rows have the fields of TreeRow; copying a million of them would cost a second.
        yield cast("Sequence[TreeRow]", rows)
        after = rows[-1][0]


def count_leaves(session: Session) -> int:
    """Return the number of leaves, by the highest index; that none is missing is for a check."""
    return _number(session, sa.select(sa.func.max(_LEAF.c.leaf_index)), -1) + 1


def count_nodes(session: Session) -> int:
    """Return the number of stored inner hashes."""
    return _number(session, sa.select(sa.func.count()).select_from(_NODE), 0)


def count_entries(session: Session) -> int:
    """Return the number of entries."""
    return _number(session, sa.select(sa.func.count()).select_from(_ENTRY), 0)


def settled_number(session: Session) -> int:
    """Return the number up to which every entry has a leaf, unless one was left out.

    Entries above it may have none yet. Writers commit one by one (:mod:`escrow.ground.database`),
    so that no number is committed after a higher one: it is the highest number that has a leaf.
    """
    return _number(session, sa.select(sa.func.max(_LEAF.c.entry_number)), 0)


def skipped_entry(session: Session) -> int | None:
    """Return the first entry without a leaf below one that has."""
    settled = settled_number(session)
    statement = (
        sa.select(sa.func.min(_ENTRY.c.number))
        .outerjoin_from(_ENTRY, _LEAF, _LEAF.c.entry_number == _ENTRY.c.number)
        .where(_ENTRY.c.number <= settled, _LEAF.c.leaf_index.is_(None))
    )
    value = session.connection().execute(statement).scalar()
    return None if value is None else int(value)


_ENTRY = SQLModel.metadata.tables["ledger_entry"]
_LEAF = SQLModel.metadata.tables["ledger_leaf"]
_NODE = SQLModel.metadata.tables["ledger_node"]
_CHECKPOINT = SQLModel.metadata.tables["ledger_checkpoint"]

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


@dataclass(frozen=True)
class _Hot:
    """A statement of a hot path, with its SQLite text made once.

    Every change of the service appends, and a check reads millions of rows. On SQLite the driver
    runs the text itself: an append's two statements take 20 µs where their way through the
    toolkit takes 90, beside a commit of 200.
    """

    statement: sa.Executable
    sqlite_text: str
    constants: dict[str, Any]


def _hot(statement: sa.Select[Any] | sa.sql.dml.ReturningInsert[Any]) -> _Hot:
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return _Hot(statement, str(compiled), constants)


_STREAM_HEAD = _hot(
    sa.select(_ENTRY.c.stream_sequence, _ENTRY.c.entry_sha256, _ENTRY.c.at)
    .where(
        _ENTRY.c.stream_kind == sa.bindparam("kind"),
        _ENTRY.c.stream_id == sa.bindparam("id"),
    )
    .order_by(_ENTRY.c.stream_sequence.desc())
    .limit(1)
)
_TREE_PAGE = _hot(
    sa.select(
        _LEAF.c.leaf_index,
        _LEAF.c.entry_number,
        _LEAF.c.leaf,
        _ENTRY.c.entry_sha256,
        _ENTRY.c.entry,
    )
    .outerjoin_from(_LEAF, _ENTRY, _ENTRY.c.number == _LEAF.c.entry_number)
    .where(_LEAF.c.leaf_index > sa.bindparam("after"))
    .order_by(_LEAF.c.leaf_index)
    .limit(READ_BATCH)
)
_INSERT_ENTRY = _hot(
    sa.insert(_ENTRY)
    .values({one.name: sa.bindparam(one.name) for one in _ENTRY.c if one.name != "number"})
    .returning(_ENTRY.c.number)
)


def _run(session: Session, hot: _Hot, values: dict[str, Any]) -> Any:  # noqa: ANN401 (two cursors)
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return connection.execute(hot.statement, values)
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    if "at" in values:
        values["at"] = _stored_moment(values["at"])
    return driver.execute(hot.sqlite_text, hot.constants | values)


def _stored_moment(moment: datetime) -> str:
    """Return a moment as the column type stores it on SQLite."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _read_moment(value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _stored(row: Any) -> StoredEntry:  # noqa: ANN401 (a row of _ENTRY_COLUMNS)
    return StoredEntry(*row)


def _number(session: Session, statement: sa.Select[Any], otherwise: int) -> int:
    value = session.connection().execute(statement).scalar()
    return otherwise if value is None else int(value)
