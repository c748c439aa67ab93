"""Somebody who owns the disk changes what lies there."""

from __future__ import annotations

import sqlite3
import subprocess

from demo.cast import PRODUCT
from demo.stage import ESCROW, Stage
from tests.journeys.conftest import Served


def _verify(here: Stage) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ESCROW), "ledger", "verify"],
        env=here.service_environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_rewritten_ledger_row_is_named(served: Served) -> None:
    path = served.here.folder / "home" / "database" / "escrow.db"
    with sqlite3.connect(path) as database:
        kept = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='ledger_entry'"
        ).fetchall()
        number, entry = database.execute(
            "SELECT number, entry FROM ledger_entry LIMIT 1"
        ).fetchone()
        for name, _ in kept:
            database.execute(f"DROP TRIGGER {name}")
        forged = entry.replace(b'"sequence":0', b'"sequence":9', 1)
        database.execute("UPDATE ledger_entry SET entry=? WHERE number=?", (forged, number))
        database.commit()
        found = _verify(served.here)
        database.execute("UPDATE ledger_entry SET entry=? WHERE number=?", (entry, number))
        for _, sql in kept:
            database.execute(sql)
    assert found.returncode == 1
    assert str(number) in found.stderr
    assert _verify(served.here).returncode == 0


def test_changed_receipt_is_refused(served: Served) -> None:
    path = served.here.folder / "receipt-to-change.json"
    if not served.deposits():
        served.push(served.clone({"README": "Nothing to build."}))
    vendor = served.person("vendor")
    served.here.escrow(vendor, "receipt", PRODUCT, "--save", str(path))
    assert "holds" in served.here.escrow(vendor, "check", str(path))
    text = path.read_text()
    place = text.index('"payload": "') + 40
    other = "A" if text[place] != "A" else "B"
    path.write_text(text[:place] + other + text[place + 1 :])
    served.here.escrow(vendor, "check", str(path), expect=1)
    served.here.escrow(vendor | {"ESCROW_TRUST_ROOT": "/nowhere"}, "check", str(path), expect=2)
