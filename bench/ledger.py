"""The ledger against what is physically there: ``python -m bench.ledger [--leaves N]``.

Appending is set against a bare SQLite insert with synchronous=FULL, one per transaction, on the
same disk in the same rounds; checking against the same hashes computed from memory.

The tree that is checked is written in bulk but for its last entries: rows of the same sizes, with
every hash right, and random bytes for signatures, which the check of a tree does not look at. What
looks at them is measured on entries that the scribe and the sequencer wrote.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from escrow.ground.database import Session
from escrow.ledger import records
from escrow.ledger.appending import Scribe
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.events import NewEvent, Stream
from escrow.ledger.fsck import check_ledger, check_tree
from escrow.ledger.leaves import Leaf, checksum_of
from escrow.ledger.lookup import records as lookup
from escrow.ledger.merkle import Frontier, leaf_hash, nodes_in, root_of
from escrow.ledger.proofs import proof_of, verify_proof
from escrow.ledger.rows import StoredLeaf
from escrow.testing.ledgers import LedgerWorld

ROUNDS = 7
TRANSACTIONS = 300
STREAMS = 50

APPEND_GOAL = 0.7
CHECK_GOAL = 2.5
PROOF_GOAL_MILLISECONDS = 5.0

# Checking every signature is not a matter of hashing; a part of the ledger tells its price.
SIGNED_ENTRIES = 5_000

# As long as the entries of the streams of deposits are.
ENTRY_BYTES = 700

# Written by scribe and sequencer at the end of a tree that is written in bulk otherwise.
REAL_ENTRIES = 1_000
BULK = 20_000
ENTRY_COLUMNS = (
    "number", "entry_sha256", "stream_kind", "stream_id", "stream_sequence", "type", "at", "entry",
)  # fmt: skip

Figure = tuple[str, str, str]


def measure(leaves: int, folder: Path) -> list[Figure]:
    """Return (what, measured, goal) for every figure of the ledger."""
    return [
        *_appending(folder),
        *_checking(folder, leaves),
        *_signatures(folder),
    ]


def _appending(folder: Path) -> list[Figure]:
    world = _world(folder, "appending")
    scribe = Scribe("portal", world.key("portal"), world.clock)
    event = _event(0)
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE change (number INTEGER PRIMARY KEY, entry BLOB)")
    table = sa.Table(
        "change",
        sa.MetaData(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("entry", sa.LargeBinary),
    )
    table.create(world.database.writer)
    insert = sa.insert(table)
    row = bytes(700)

    def insert_bare() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO change (entry) VALUES (?)", (row,))
        bare.execute("COMMIT")

    def change_alone() -> None:
        with world.database.writing() as session:
            session.connection().execute(insert, {"entry": row})

    def append_alone() -> None:
        with world.database.writing() as session:
            scribe.append(session, event)

    def change_and_append() -> None:
        with world.database.writing() as session:
            session.connection().execute(insert, {"entry": row})
            scribe.append(session, event)

    costs = _rounds([insert_bare, change_alone, append_alone, change_and_append], TRANSACTIONS)
    bare.close()
    world.close()
    return [
        (
            "append, one transaction / bare sqlite3 insert",
            f"{_ratio(costs[0], costs[2]):.2f}x ({_micro(costs[2])} / {_micro(costs[0])})",
            f">= {APPEND_GOAL}x",
        ),
        (
            "append alone / a change alone, by the service's session",
            f"{_ratio(costs[1], costs[2]):.2f}x ({_micro(costs[2])} / {_micro(costs[1])})",
            "",
        ),
        (
            "a change with its event / the change alone, by the session",
            f"{_ratio(costs[1], costs[3]):.2f}x ({_micro(costs[3])} / {_micro(costs[1])})",
            f">= {APPEND_GOAL}x",
        ),
    ]


def _checking(folder: Path, leaves: int) -> list[Figure]:
    world = _world(folder, "checking")
    _fill(world, leaves - REAL_ENTRIES)
    entry_sha256 = _grow(world, REAL_ENTRIES)
    with world.database.reading() as session:
        pairs = [
            (entry or b"", leaf)
            for batch in records.tree_batches(session)
            for _, _, leaf, _, entry in batch
        ]
        whole = _rounds(
            [lambda: _hash_alone(pairs), lambda: check_tree(session, world.keys.log)], 1
        )
        proofs = _rounds([lambda: proof_of(session, entry_sha256)], 20)
        proof = world.proof(entry_sha256)
        verified = _rounds([lambda: verify_proof(proof, world.keys)], 20)
    world.close()
    return [
        (
            f"whole tree of {leaves:,} leaves checked / the same hashes alone",
            f"{_ratio(whole[1], whole[0]):.2f}x ({_seconds(whole[1])} / {_seconds(whole[0])})",
            f"<= {CHECK_GOAL}x",
        ),
        (
            f"one proof out of {leaves:,} leaves",
            f"{statistics.median(proofs[0]) * 1e3:.2f} ms",
            f"<= {PROOF_GOAL_MILLISECONDS:.0f} ms",
        ),
        ("one proof verified offline", f"{statistics.median(verified[0]) * 1e3:.2f} ms", ""),
    ]


def _signatures(folder: Path) -> list[Figure]:
    world = _world(folder, "signatures")
    _grow(world, SIGNED_ENTRIES)
    with world.database.reading() as session:
        whole = _rounds([lambda: check_ledger(session, world.keys)], 1)
    world.close()
    each = statistics.median(whole[0]) / SIGNED_ENTRIES
    return [("every signature, stream and hash checked, per entry", _micro([each]), "")]


def _hash_alone(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    sha256 = hashlib.sha256
    for entry, _ in pairs:
        sha256(sha256(entry).digest()).digest()
    return root_of([leaf_hash(leaf) for _, leaf in pairs])


def _rounds(works: Sequence[Callable[[], object]], times: int) -> list[list[float]]:
    """Return the seconds per run of each work, round by round, the works taking turns."""
    for work in works:
        work()
    costs: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, cost in zip(works, costs, strict=True):
            begun = time.perf_counter()
            for _ in range(times):
                work()
            cost.append((time.perf_counter() - begun) / times)
    return costs


def _world(folder: Path, name: str) -> LedgerWorld:
    (folder / name).mkdir()
    return LedgerWorld(folder / name)


def _grow(world: LedgerWorld, leaves: int) -> str:
    scribe = Scribe("portal", world.key("portal"), world.clock)
    last = ""
    for start in range(0, leaves, 50_000):
        with world.database.writing() as session:
            for number in range(start, min(start + 50_000, leaves)):
                last = scribe.append(session, _event(number)).entry_sha256
        world.sequence()
    return last


def _fill(world: LedgerWorld, leaves: int) -> None:
    """Write leaves with their entries and inner hashes, and a checkpoint over them."""
    frontier, key_hash = Frontier(), bytes.fromhex(world.key("leaf").public.key_id)
    with world.database.writing() as session:
        for start in range(0, leaves, BULK):
            numbers = range(start, min(start + BULK, leaves))
            entries = [
                number.to_bytes(8, "big") + os.urandom(ENTRY_BYTES - 8) for number in numbers
            ]
            made = [Leaf(checksum_of(one), os.urandom(64), key_hash) for one in entries]
            _insert_entries(session, start, entries, world.clock.now())
            rows = [
                StoredLeaf(at, at + 1, leaf.encoded) for at, leaf in zip(numbers, made, strict=True)
            ]
            hashes = [leaf.hash for leaf in made]
            records.insert_leaves(session, rows, nodes_in(start), frontier.extend(hashes))
            lookup.insert_hashes(session, start, hashes)
        signed = sign_checkpoint(frontier.size, frontier.root(), world.key("log"))
        records.insert_checkpoint(session, signed.tree_size, signed.note, world.clock.now())
        world.sequencer.adopt(session)


def _insert_entries(session: Session, start: int, entries: Sequence[bytes], at: datetime) -> None:
    table = sa.table("ledger_entry", *(sa.column(one) for one in ENTRY_COLUMNS))
    rows = [
        {
            "number": number + 1,
            "entry_sha256": hashlib.sha256(entry).hexdigest(),
            "stream_kind": "product",
            "stream_id": f"bulk_{number % STREAMS}",
            "stream_sequence": number // STREAMS,
            "type": "deposits:deposit:sealed",
            "at": at.replace(tzinfo=None).isoformat(" ", "microseconds"),
            "entry": entry,
        }
        for number, entry in enumerate(entries, start)
    ]
    session.connection().execute(sa.insert(table), rows)


def _event(number: int) -> NewEvent:
    data = {"deposit": f"dep_{number}", "commitment": "ab" * 32}
    return NewEvent(
        Stream("agreement", f"agr_{number % STREAMS}"), "deposits:deposit:sealed", "tok_1", data
    )


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: what disturbs one round disturbs both works."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def _micro(costs: Sequence[float]) -> str:
    return f"{statistics.median(costs) * 1e6:.0f} us"


def _seconds(costs: Sequence[float]) -> str:
    return f"{statistics.median(costs):.2f} s"


def main() -> None:
    """Print every figure with its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the databases lie; the disk counts")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for what, measured, goal in measure(chosen.leaves, Path(folder)):
            print(f"{what:<62} {measured:<34} {goal}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
