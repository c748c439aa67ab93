"""Tables of what others said of our checkpoints, and every query over them.

Nothing in them is believed because it stands there: each row carries a signature that is checked
against the trust root by whoever reads it. So a row that was put in, or taken out, is as a witness
that is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, Session, SQLModel

from escrow.ground.database import UtcDateTime
from escrow.ledger.cosignatures import Cosignature

_Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")

# The newest words of a handful of witnesses are among these; a longer look back finds only older.
NEWEST_ROWS = 200


class CosignatureRow(SQLModel, table=True):
    """A cosignature of a checkpoint, as a witness gave it."""

    __tablename__ = "ledger_cosignature"

    tree_size: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    key: str = Field(primary_key=True, max_length=64)
    timestamp: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    signature: bytes


class TimestampRow(SQLModel, table=True):
    """An RFC 3161 token over a checkpoint's body."""

    __tablename__ = "ledger_timestamp"

    tree_size: int = Field(sa_column=sa.Column(_Number, primary_key=True, autoincrement=False))
    authority: str = Field(primary_key=True, max_length=80)
    at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    token: bytes


_COSIGNATURE = SQLModel.metadata.tables["ledger_cosignature"]
_TIMESTAMP = SQLModel.metadata.tables["ledger_timestamp"]
_CHECKPOINT = SQLModel.metadata.tables["ledger_checkpoint"]


def add_cosignature(session: Session, tree_size: int, key: str, one: Cosignature) -> None:
    """Keep a cosignature; one that is there already is left as it is.

    Args:
        session: open for writing.
        tree_size: of the checkpoint.
        key: the witness's, as text.
        one: verified.
    """
    values = {"tree_size": tree_size, "key": key, "timestamp": one.timestamp}
    known = [_COSIGNATURE.c[name] == value for name, value in values.items()]
    if session.connection().execute(sa.select(_COSIGNATURE.c.key).where(*known)).first() is None:
        statement = sa.insert(_COSIGNATURE).values(**values, signature=one.signature)
        session.connection().execute(statement)


def add_timestamp(
    session: Session, tree_size: int, authority: str, at: datetime, token: bytes
) -> None:
    """Keep a token; a second of the same authority, size and second is of no use."""
    values: dict[str, Any] = {"tree_size": tree_size, "authority": authority, "at": at}
    known = [_TIMESTAMP.c[name] == value for name, value in values.items()]
    if session.connection().execute(sa.select(_TIMESTAMP.c.at).where(*known)).first() is None:
        session.connection().execute(sa.insert(_TIMESTAMP).values(**values, token=token))


def cosignatures_of(session: Session, tree_size: int) -> list[tuple[str, int, bytes]]:
    """Return key, time and signature of every cosignature of a checkpoint, newest first."""
    columns = (_COSIGNATURE.c.key, _COSIGNATURE.c.timestamp, _COSIGNATURE.c.signature)
    statement = (
        sa.select(*columns)
        .where(_COSIGNATURE.c.tree_size == tree_size)
        .order_by(_COSIGNATURE.c.timestamp.desc())
        .limit(NEWEST_ROWS)
    )
    return [(row[0], row[1], row[2]) for row in session.connection().execute(statement)]


def cosigned_above(session: Session, leaf_index: int) -> tuple[int, str] | None:
    """Return size and note of the newest checkpoint with a cosignature that covers a leaf."""
    statement = (
        sa.select(_CHECKPOINT.c.tree_size, _CHECKPOINT.c.note)
        .join_from(_COSIGNATURE, _CHECKPOINT, _CHECKPOINT.c.tree_size == _COSIGNATURE.c.tree_size)
        .where(_COSIGNATURE.c.tree_size > leaf_index)
        .order_by(_COSIGNATURE.c.tree_size.desc())
        .limit(1)
    )
    row = session.connection().execute(statement).first()
    return None if row is None else (row[0], row[1])


def newest_cosigned(
    session: Session, key: str, at_least: int | None = None, at_most: int | None = None
) -> list[tuple[str, Cosignature]]:
    """Return notes with a witness's cosignatures of them, the newest first; keys are left out.

    Args:
        session: reading is enough.
        key: the witness's, as text.
        at_least: the smallest tree that is asked for.
        at_most: the largest.
    """
    statement = (
        sa.select(_CHECKPOINT.c.note, _COSIGNATURE.c.timestamp, _COSIGNATURE.c.signature)
        .join_from(_COSIGNATURE, _CHECKPOINT, _CHECKPOINT.c.tree_size == _COSIGNATURE.c.tree_size)
        .where(_COSIGNATURE.c.key == key, *_sizes(_COSIGNATURE, at_least, at_most))
        .order_by(_COSIGNATURE.c.timestamp.desc(), _COSIGNATURE.c.tree_size.desc())
        .limit(NEWEST_ROWS)
    )
    rows = session.connection().execute(statement)
    return [(row[0], Cosignature("", row[1], row[2])) for row in rows]


def newest_stamped(
    session: Session, authorities: Sequence[str], at_most: int | None = None
) -> list[tuple[str, bytes]]:
    """Return notes with the tokens over them by these authorities, newest first."""
    statement = (
        sa.select(_CHECKPOINT.c.note, _TIMESTAMP.c.token)
        .join_from(_TIMESTAMP, _CHECKPOINT, _CHECKPOINT.c.tree_size == _TIMESTAMP.c.tree_size)
        .where(_TIMESTAMP.c.authority.in_(authorities), *_sizes(_TIMESTAMP, None, at_most))
        .order_by(_TIMESTAMP.c.at.desc())
        .limit(NEWEST_ROWS)
    )
    return [(row[0], row[1]) for row in session.connection().execute(statement)]


def last_stamp(session: Session, authority: str) -> tuple[int, datetime] | None:
    """Return size and time of an authority's newest token."""
    statement = (
        sa.select(_TIMESTAMP.c.tree_size, _TIMESTAMP.c.at)
        .where(_TIMESTAMP.c.authority == authority)
        .order_by(_TIMESTAMP.c.at.desc())
        .limit(1)
    )
    row = session.connection().execute(statement).first()
    return None if row is None else (row[0], row[1])


def _sizes(table: sa.Table, at_least: int | None, at_most: int | None) -> list[Any]:
    asked = [] if at_least is None else [table.c.tree_size >= at_least]
    return asked if at_most is None else [*asked, table.c.tree_size <= at_most]
