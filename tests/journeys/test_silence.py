"""Silence, with every clock of the service and of the people really moved: once, by faketime."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cast import key
from demo.play import set_up_parties
from demo.release import confirm, file_request
from demo.stage import stage
from tests.journeys.conftest import Served, wait_for
from tests.worlds import deposit_tar, http

# Ten business days of objection, Christmas among them in the worst case, and the way round the
# earth.
LATER = "+40d"

# What faketime of Debian 12 (0.9.10) cannot: it refuses the sleep until a moment of the monotonic
# clock, which Python's time.sleep is since 3.11. Waiting with a limit does the same by other means.
SLEEPLESS = """
import threading
import time

time.sleep = lambda seconds: threading.Event().wait(max(seconds, 0)) and None
"""


@pytest.fixture
def served() -> Iterator[Served]:
    """A service of its own: its clock will not go back."""
    with stage() as here:
        one_time = here.ask(here.service_environment, "admin", "init")["one_time_token"]
        here.start()
        yield Served(here, set_up_parties(here, str(one_time)))


def move_clocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every program that is started from now on live some weeks later."""
    command = ["faketime", "-m", "--exclude-monotonic", "-f", LATER, "env", "-0"]
    told = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    variables = dict(line.split("=", 1) for line in told.split("\0") if "=" in line)
    # Waits are measured by the monotonic clock, which is to stay what it is.
    for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"):
        monkeypatch.setenv(name, variables[name])
    (folder / "sitecustomize.py").write_text(SLEEPLESS)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def state_of(served: Served, request: str) -> str:
    return str(served.ask("beneficiary", "request", "show", request)["state"])


def test_a_vendor_who_was_served_and_says_nothing(served: Served, tmp_path, monkeypatch) -> None:
    source = {"README": "Run it."}
    deposit_tar(http(served.here.url, served.cast.tokens["vendor"]), source)
    request = file_request(served.here, served.cast)
    own = ("--key", key(served.here, "vendor"))
    served.here.escrow(served.person("vendor"), "request", "acknowledge", request, *own)
    assert state_of(served, request) == "objection-window"
    served.kill()
    tmp_path.chmod(0o755)
    move_clocks(tmp_path, monkeypatch)
    served.here.start()
    wait_for(lambda: state_of(served, request), lambda state: state == "confirming")
    for agent in ("agent_1", "agent_3"):
        confirm(served.here, served.cast, request, agent)
    assert state_of(served, request) == "released"
    folder = tmp_path / "release"
    fetch = ("release", "fetch", request, "--to", str(folder), "--all")
    served.here.escrow(served.person("beneficiary"), *fetch)
    assert '"by": "silence"' in checked(served, folder / "certificate.json")


def checked(served: Served, certificate: Path) -> str:
    """Check the certificate offline, and return what it states."""
    import base64
    import json

    served.here.escrow(served.here.person(), "check", str(certificate))
    envelope = json.loads(certificate.read_text())["bundle"]["dsseEnvelope"]
    predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return json.dumps(predicate["approval"])
