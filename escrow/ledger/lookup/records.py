"""Leaves by their hash in the tree: a help to find them, and no part of what is proven.

A row that is wrong or gone makes a leaf unfindable, or its proof fail with whoever asked; the tree
itself rests on leaves and inner hashes (:mod:`escrow.ledger.records`).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Field, Session, SQLModel

_Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class LeafHashRow(SQLModel, table=True):
    """The hash of a leaf, RFC 6962, and its index."""

    __tablename__ = "ledger_leaf_hash"

    hash: bytes = Field(sa_column=sa.Column(sa.LargeBinary, primary_key=True))
    leaf_index: int = Field(sa_column=sa.Column(_Number, nullable=False))


_LEAF_HASH = SQLModel.metadata.tables["ledger_leaf_hash"]


def insert_hashes(session: Session, first_index: int, hashes: Sequence[bytes]) -> None:
    """Keep the hashes of leaves that follow one another."""
    rows = [{"hash": one, "leaf_index": at} for at, one in enumerate(hashes, first_index)]
    session.connection().execute(sa.insert(_LEAF_HASH), rows)


def index_of(session: Session, hash_of_leaf: bytes) -> int | None:
    """Return the index of the leaf with this hash, None when none is known."""
    statement = sa.select(_LEAF_HASH.c.leaf_index).where(_LEAF_HASH.c.hash == hash_of_leaf)
    value = session.connection().execute(statement).scalar()
    return None if value is None else int(value)
