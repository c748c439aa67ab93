"""The whole service killed in the middle of things, and started again on the same home."""

import hashlib
import os
import subprocess

import docker
import pytest

from demo.cast import PRODUCT
from demo.stage import ESCROW
from tests.journeys.conftest import Served, wait_for

SLOW_BUILD = "all: prog\nprog: main.c\n\tsleep 8\n\tcc -o prog main.c\n"
MAIN = "int main(void) { return 0; }\n"
UPLOAD_BYTES = 1_500_000_000


def _newest(served: Served) -> int:
    return max([int(str(row["number"])) for row in served.deposits()], default=0)


def _containers() -> list[str]:
    found = docker.from_env().containers.list(all=True, filters={"label": "escrow.run"})
    return [str(container.name) for container in found]


def test_killed_in_a_push(served: Served) -> None:
    before = _newest(served)
    clone = served.clone({"noise.bin": os.urandom(120_000_000)})
    pushes = served.here.scratch / "pushes"
    git = subprocess.Popen(
        served.push_command(), cwd=clone, env=served.person("vendor"), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list(pushes.glob("push_*")), bool)
    served.kill()
    assert git.wait(60) != 0
    served.here.start()
    assert list(pushes.glob("push_*")) == []
    assert _newest(served) == before
    assert f"logged as deposit {before + 1} " in served.push(clone)


def test_killed_in_an_upload(served: Served) -> None:
    before = _newest(served)
    file = served.here.folder / "dump.bin"
    with file.open("wb") as out:
        for _ in range(UPLOAD_BYTES // 10_000_000):
            out.write(os.urandom(10_000_000))
    blobs = served.here.folder / "home" / "blobs" / "staging"
    command = [str(ESCROW), "deposit", "send", PRODUCT, "--data", str(file)]
    client = subprocess.Popen(
        command, env=served.person("vendor"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(
        lambda: sum(path.stat().st_size for path in blobs.rglob("*") if path.is_file()),
        lambda size: size > 200_000_000,
    )
    served.kill()
    served.here.start()
    assert client.wait(240) == 0, "the client goes on by itself where it stopped"
    digest = hashlib.file_digest(file.open("rb"), "sha256").hexdigest()
    newest = served.deposits()[0]
    assert newest["number"] == before + 1
    sent = [part for part in newest["parts"] if not part["carried"]]  # type: ignore[attr-defined]
    assert [part["sha256"] for part in sent] == [digest]


@pytest.mark.timeout(400)
def test_killed_in_a_trial_build(served: Served) -> None:
    number = _newest(served) + 1
    served.push(served.clone({"Makefile": SLOW_BUILD, "main.c": MAIN, "README": "Run make."}))
    wait_for(_containers, bool)
    wait_for(
        lambda: served.ask("vendor", "status", PRODUCT)["deposits"][0]["verification"],  # type: ignore[index]
        lambda word: "build" in str(word),
    )
    served.kill()
    served.here.start()
    assert served.verdict_of(number)["verdict"] == "pass"
    wait_for(_containers, lambda left: not left)
    assert served.here.escrow(served.here.service_environment, "ledger", "verify")
    numbers = sorted(int(str(row["number"])) for row in served.deposits())
    assert numbers == list(range(1, number + 1))
