"""Leaves by their hash in the tree, entries by their type: helps to find, no part of a proof.

A row that is wrong or gone makes a leaf unfindable, or its proof fail with whoever asked; the tree
itself rests on leaves and inner hashes (:mod:`escrow.ledger.records`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, Session, SQLModel

from escrow.ledger.records import READ_BATCH
from escrow.ledger.rows import StoredEntry

_Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class LeafHashRow(SQLModel, table=True):
    """The hash of a leaf, RFC 6962, and its index."""

    __tablename__ = "ledger_leaf_hash"

    hash: bytes = Field(sa_column=sa.Column(sa.LargeBinary, primary_key=True))
    leaf_index: int = Field(sa_column=sa.Column(_Number, nullable=False))


_LEAF_HASH = SQLModel.metadata.tables["ledger_leaf_hash"]
_ENTRY = SQLModel.metadata.tables["ledger_entry"]


def insert_hashes(session: Session, first_index: int, hashes: Sequence[bytes]) -> None:
    """Keep the hashes of leaves that follow one another."""
    rows = [{"hash": one, "leaf_index": at} for at, one in enumerate(hashes, first_index)]
    session.connection().execute(sa.insert(_LEAF_HASH), rows)


def index_of(session: Session, hash_of_leaf: bytes) -> int | None:
    """Return the index of the leaf with this hash, None when none is known."""
    statement = sa.select(_LEAF_HASH.c.leaf_index).where(_LEAF_HASH.c.hash == hash_of_leaf)
    value = session.connection().execute(statement).scalar()
    return None if value is None else int(value)


def entries_of_types(session: Session, types: Sequence[str]) -> Iterator[StoredEntry]:
    """Yield the entries of some types, stream by stream, each in order of sequence."""
    statement = (
        sa.select(*(_ENTRY.c[one.name] for one in fields(StoredEntry)))
        .where(_ENTRY.c.type.in_(types))
        .order_by(_ENTRY.c.stream_kind, _ENTRY.c.stream_id, _ENTRY.c.stream_sequence)
        .execution_options(yield_per=READ_BATCH)
    )
    for row in session.connection().execute(statement):
        yield StoredEntry(*row)
