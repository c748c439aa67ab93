"""The keyholder killed or stopped between a deposit's transaction and its acknowledgement."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.cast import PRODUCT
from demo.stage import ESCROW
from tests.journeys.conftest import Served, wait_for
from tests.worlds import database

# Headers and receipt take a fraction of a second, which is the time to hit; where the keyholder is
# through before the signal, another deposit is tried.
TRIES = 8

# Longer than the service waits for the keyholder while a vendor waits for it.
LONGEST_WAIT_SECONDS = 150

NO_WORD = "remote failed to report status"
FILES = {
    "Makefile": "all: prog\nprog: main.c\n\tcc -o prog main.c\n",
    "main.c": "int main(void){}\n",
}
WAITING = (
    "SELECT number FROM deposit WHERE state = 'sealed' AND receipt_json IS NULL ORDER BY number"
)


@dataclass
class Struck:
    """A deposit that is stored, while whoever sent it still waits for its receipt."""

    sent: Path
    sender: subprocess.Popen[str]
    number: int

    def words(self) -> str:
        """Wait for the sender, who must not believe in it; return what was printed."""
        text, _ = self.sender.communicate(timeout=LONGEST_WAIT_SECONDS)
        assert self.sender.returncode != 0, text
        return text


def keyholder_of(served: Served) -> int | None:
    """Return the process id of the running service's keyholder, if it has one."""
    service = served.here.service_pid
    for child in Path(f"/proc/{service}/task/{service}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):
            if b"keyholder" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
    return None


def strike(served: Served, command: list[str], blow: signal.Signals) -> Struck:
    """Send deposits until a blow hits the keyholder between a transaction and its receipt.

    Args:
        command: run in a folder of new files, which it deposits.
    """
    for _ in range(TRIES):
        sent = served.clone(FILES | {"noise.txt": secrets.token_hex(200)})
        keyholder = keyholder_of(served)
        assert keyholder is not None
        sender = subprocess.Popen(
            command,
            cwd=sent,
            env=served.person("vendor"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with database(served.here.folder) as rows:
            number = hit(rows, sender, keyholder, blow)
        if number is not None:
            return Struck(sent, sender, number)
        if blow is signal.SIGSTOP:
            go_on(served)
        else:
            restart(served)
        sender.communicate(timeout=LONGEST_WAIT_SECONDS)
    pytest.fail(f"the keyholder was faster, {TRIES} times")


def hit(
    rows: sqlite3.Connection, sender: subprocess.Popen[str], keyholder: int, blow: signal.Signals
) -> int | None:
    """Send a signal once a deposit waits for its receipt; return its number if it still does."""
    while sender.poll() is None:
        if (found := rows.execute(WAITING).fetchone()) is None:
            continue
        os.kill(keyholder, blow)
        # What it had answered before the blow is written by the service in this time.
        time.sleep(0.5)
        return int(found[0]) if rows.execute(WAITING).fetchone() == found else None
    return None


def go_on(served: Served) -> None:
    """Let a keyholder that was stopped go on."""
    keyholder = keyholder_of(served)
    assert keyholder is not None
    os.kill(keyholder, signal.SIGCONT)


def restart(served: Served) -> None:
    """Kill the service, and start it again once its keyholder is gone too."""
    keyholder = keyholder_of(served)
    served.here.kill()
    if keyholder is not None:
        wait_until_gone(keyholder)
    served.here.start()


def wait_until_gone(keyholder: int) -> None:
    """Return once the process has ended; its socket says nothing, for a kill leaves it behind."""
    command = Path(f"/proc/{keyholder}/cmdline")

    def words() -> bytes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return command.read_bytes()
        return b""

    wait_for(words, lambda there: not there)


def check_whole(served: Served, number: int) -> None:
    """The deposit has its receipt, is there once, and the ledger is whole."""
    receipt = served.here.folder / f"receipt-{number}.json"
    served.here.escrow(
        served.person("vendor"), "receipt", f"{PRODUCT}#{number}", "--save", str(receipt)
    )
    served.here.escrow(served.person("vendor"), "check", str(receipt))
    with database(served.here.folder) as rows:
        query = (
            "SELECT count(*), count(DISTINCT h.epoch) FROM header_record h "
            "JOIN deposit d ON d.id = h.deposit_id WHERE d.number = ? AND h.lock = 'a+b'"
        )
        # One part; and after a release a deposit is sealed to the burnt epoch's successor too.
        written, epochs = rows.execute(query, (number,)).fetchone()
        assert written == epochs >= 1, "headers are written once"
    served.here.escrow(served.here.service_environment, "ledger", "verify")


def test_a_keyholder_killed_behind_the_transaction(served: Served) -> None:
    struck = strike(served, served.push_command(), signal.SIGKILL)
    text = struck.words()
    assert NO_WORD in text
    assert f"remote: Deposit {struck.number} is stored and logged; its receipt waits" in text
    assert "not stored" not in text
    restart(served)
    check_whole(served, struck.number)
    # Pushed again, it is acknowledged: the same deposit, and no second number.
    assert f"logged as deposit {struck.number} " in served.push(struck.sent)
    assert served.deposits()[0]["number"] == struck.number
    assert served.verdict_of(struck.number)["verdict"] == "pass"


def test_a_keyholder_that_stands_still_and_goes_on(served: Served) -> None:
    struck = strike(served, served.push_command(), signal.SIGSTOP)
    text = struck.words()
    assert f"remote: Deposit {struck.number} is stored and logged; its receipt waits" in text
    go_on(served)
    # Nobody pushes again and nothing is restarted: the upkeep completes it.
    with database(served.here.folder) as rows:
        wait_for(lambda: rows.execute(WAITING).fetchall(), lambda left: left == [])
    check_whole(served, struck.number)


def test_a_service_killed_while_a_push_waits_for_its_receipt(served: Served) -> None:
    struck = strike(served, served.push_command(), signal.SIGSTOP)
    keyholder = keyholder_of(served)
    assert keyholder is not None
    served.here.kill()
    struck.words()
    os.kill(keyholder, signal.SIGCONT)
    wait_until_gone(keyholder)
    served.here.start()
    check_whole(served, struck.number)
    assert f"logged as deposit {struck.number} " in served.push(struck.sent)
    assert served.deposits()[0]["number"] == struck.number


def test_a_draft_finished_while_the_keyholder_stands_still(served: Served) -> None:
    send = [str(ESCROW), "deposit", "send", PRODUCT, "--docs", "noise.txt", "--json"]
    struck = strike(served, send, signal.SIGSTOP)
    text = struck.words()
    assert struck.sender.returncode == 2
    waiting = json.loads(text[text.index("{") :])
    assert (waiting["number"], waiting["receipt"]) == (struck.number, "pending")
    go_on(served)
    finished = served.ask("vendor", "deposit", "finish", waiting["id"])
    assert (finished["number"], finished["receipt"]) == (struck.number, "made")
    assert served.deposits()[0]["number"] == struck.number
