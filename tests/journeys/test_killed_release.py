"""The whole service is killed in a release, again and again: one release, none lost, one paper."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from demo.cast import key
from demo.release import confirm, file_request
from demo.stage import ESCROW
from tests.journeys.conftest import Served, wait_for
from tests.worlds import database, deposit_tar, http

MAKEFILE = "all: prog\nprog: main.c\n\tcc -o prog main.c\n"
SOURCE = {"Makefile": MAKEFILE, "main.c": "int main(void) { return 0; }\n"}


@pytest.fixture(scope="module")
def deposited(served: Served) -> str:
    """Something to release; its verdict does not matter here."""
    deposit, _ = deposit_tar(http(served.here.url, served.cast.tokens["vendor"]), SOURCE)
    return deposit


def consented(served: Served) -> str:
    """Return a request whose confirmation is open and lacks one agent."""
    request = file_request(served.here, served.cast)
    vendor = served.person("vendor")
    served.here.escrow(vendor, "request", "consent", request, "--key", key(served.here, "vendor"))
    confirm(served.here, served.cast, request, "agent_1")
    return request


def state_of(served: Served, request: str) -> str:
    return str(served.ask("beneficiary", "request", "show", request)["state"])


def certificate(served: Served, request: str) -> str:
    path = served.here.folder / "certificate.json"
    command = ("release", "certificate", request, "--save", str(path))
    served.here.escrow(served.person("beneficiary"), *command)
    return path.read_text()


def entries(served: Served, kind: str, request: str) -> int:
    with database(served.here.folder) as rows:
        query = "SELECT entry FROM ledger_entry WHERE type = ?"
        found = [json.loads(row[0]) for row in rows.execute(query, (kind,))]
    return sum(one["event"]["data"]["request_id"] == request for one in found)


def confirm_in_background(served: Served, request: str) -> subprocess.Popen[bytes]:
    own = ("--identity", str(served.here.keys / "agent_3.age"))
    own += ("--key", key(served.here, "agent_3"))
    return subprocess.Popen(
        [str(ESCROW), "confirm", request, *own, "--yes"],
        env=served.person("agent_3"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


# The client takes about a second and a half, the keyholder's part some tens of milliseconds of it.
@pytest.mark.parametrize("after", ["given", "intended", "executed"])
def test_killed_once_it_is_written(served: Served, deposited: str, after: str) -> None:
    request = consented(served)
    kind = {
        "given": "releases:confirmation:given",
        "intended": "releases:release:intended",
        "executed": "releases:release:executed",
    }[after]
    wanted = 2 if after == "given" else 1
    client = confirm_in_background(served, request)
    until = time.monotonic() + 60
    while entries(served, kind, request) < wanted:
        assert time.monotonic() < until, "the confirmation was not taken"
    served.kill()
    client.wait(60)
    served.here.start()
    wait_for(lambda: state_of(served, request), lambda state: state == "released")
    first = certificate(served, request)
    for once in ("releases:release:intended", "releases:release:executed"):
        assert entries(served, once, request) == 1
    served.kill()
    served.here.start()
    assert json.loads(certificate(served, request))["bundle"] == json.loads(first)["bundle"]
    assert state_of(served, request) == "released"
    served.here.escrow(served.here.service_environment, "ledger", "fsck")
    renew_keys(served)


# What comes before the confirmations: each act, by whom, and the state that it leads to.
ACTS = (
    ("acknowledge", "vendor", (), "releases:request:served", "objection-window"),
    ("object", "vendor", ("--statement", "words"), "releases:request:objected", "disputed"),
    ("consent", "vendor", (), "releases:request:consented", "confirming"),
)


def act_until_killed(served: Served, request: str, act: str, who: str, more: list[str]) -> None:
    """Send an act; the service is killed once its event is written."""
    own = ["--key", key(served.here, who)]
    client = subprocess.Popen(
        [str(ESCROW), "request", act, request, *more, *own],
        env=served.person(who),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kind = next(kind for name, _, _, kind, _ in ACTS if name == act)
    wait_for(lambda: entries(served, kind, request), lambda there: there == 1)
    served.kill()
    client.wait(60)


def test_killed_at_every_act_before_the_confirmations(served: Served, deposited: str) -> None:
    request = file_request(served.here, served.cast)
    served.kill()
    served.here.start()
    assert state_of(served, request) == "filed"
    words = served.here.folder / "statement.txt"
    for act, who, options, kind, state in ACTS:
        more = [str(words) if one == "words" else one for one in options]
        act_until_killed(served, request, act, who, more)
        served.here.start()
        wait_for(lambda: state_of(served, request), lambda seen, state=state: seen == state)
        assert entries(served, kind, request) == 1
    assert entries(served, "releases:confirmation:opened", request) == 1
    served.here.escrow(served.here.service_environment, "ledger", "fsck")


def test_two_confirmations_in_the_same_instant(served: Served, deposited: str) -> None:
    request = consented(served)
    clients = [confirm_in_background(served, request)]
    own = ("--identity", str(served.here.keys / "agent_2.age"))
    own += ("--key", key(served.here, "agent_2"))
    clients.append(
        subprocess.Popen(
            [str(ESCROW), "confirm", request, *own, "--yes"],
            env=served.person("agent_2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    codes = {client.wait(60) for client in clients}
    assert 0 in codes
    wait_for(lambda: state_of(served, request), lambda state: state == "released")
    assert entries(served, "releases:release:intended", request) == 1
    assert entries(served, "releases:release:executed", request) == 1


def renew_keys(served: Served) -> None:
    """Open the canary of the epoch that followed, so that it counts for the next release."""
    here, agreement = served.here, served.cast.agreement
    opener = json.loads(Path(here.keys / "agent_2.public.json").read_text())["age_recipient"]
    for role in ("agent_1", "agent_3"):
        own = ("--identity", str(here.keys / f"{role}.age"), "--to", opener)
        here.escrow(served.person(role), "ceremony", "contribute", agreement, *own)
    own = ("--identity", str(here.keys / "agent_2.age"), "--key", key(here, "agent_2"))
    here.escrow(served.person("agent_2"), "ceremony", "open-canary", agreement, *own)
