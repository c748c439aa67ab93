"""Deposits over HTTP, from the first byte to what each side is told."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable

import httpx
import pytest

from demo.cast import PRODUCT
from tests.journeys.conftest import Served, wait_for
from tests.worlds import DEPOSITS, Draft, deposit_tar, http, tar_of

MAIN = '#include "engine.h"\nint main(void) { return ANSWER; }\n'
WHOLE = {
    "Makefile": "all: engine\nengine: main.c engine.h\n\tcc -o engine main.c\n",
    "main.c": MAIN,
    "engine.h": "#define ANSWER 0\n",
    "README": "Run make.\n",
}
LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"


@pytest.fixture
def vendor(served: Served) -> httpx.Client:
    return http(served.here.url, served.cast.tokens["vendor"])


def _concluded(client: httpx.Client, deposit: str) -> dict[str, object]:
    shown = wait_for(
        lambda: client.get(f"/api/v1/deposits/{deposit}").raise_for_status().json(),
        lambda document: document["verification"] == "done",
    )
    return dict(shown)


def _findings(client: httpx.Client, deposit: str) -> dict[str, str]:
    summary = client.get(f"/api/v1/deposits/{deposit}/report").raise_for_status().json()["summary"]
    return {finding["code"]: finding["sentence"] for finding in summary["findings"]}


def test_a_pushed_project_is_built(served: Served, vendor: httpx.Client) -> None:
    printed = served.push(served.clone(dict(WHOLE)))
    assert "SHA-256" in printed
    newest = vendor.get(f"{DEPOSITS}/newest").json()
    assert f"logged as deposit {newest['number']} of {PRODUCT}" in printed
    assert _concluded(vendor, newest["id"])["verdict"] == "pass"


def test_an_upload_goes_on_after_its_connection_dropped(vendor: httpx.Client) -> None:
    content = tar_of(WHOLE | {"noise.txt": secrets.token_hex(2_000_000)})
    draft = Draft.begin(vendor)
    upload = draft.create(len(content))
    draft.send_and_drop(upload, content, 3_000_000)
    offset = wait_for(lambda: draft.offset(upload), lambda reached: reached > 2_000_000)
    assert offset <= 3_000_000
    draft.send(upload, offset, content[offset:])
    draft.finish()
    shown = _concluded(vendor, draft.id)
    assert shown["verdict"] == "pass"
    assert [part["size_bytes"] for part in shown["parts"]] == [len(content)]  # type: ignore[attr-defined]


def test_what_is_missing_is_named(vendor: httpx.Client) -> None:
    broken = {name: text for name, text in WHOLE.items() if name != "engine.h"}
    deposit, _ = deposit_tar(vendor, broken | {"Makefile": "all:\n\tcc -o engine main.c\n"})
    assert _concluded(vendor, deposit)["verdict"] == "fail"
    failed = " ".join(_findings(vendor, deposit).values())
    assert "engine.h" in failed


def test_a_pointer_without_its_object_is_found(vendor: httpx.Client) -> None:
    deposit, _ = deposit_tar(vendor, WHOLE | {"model.bin": LFS_POINTER})
    _concluded(vendor, deposit)
    assert "E-INVENTORY-LFS-POINTER" in _findings(vendor, deposit)


def _read_log(
    client: httpx.Client, deposit: str, last: str, enough: Callable[[int], bool]
) -> tuple[str, str]:
    """Follow a log from an event on, until enough events came; return its text and the last id."""
    text, events = [], 0
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", f"/api/v1/deposits/{deposit}/log", headers=headers) as answer:
        for line in answer.iter_lines():
            if line == "event: end":
                break
            field, _, value = line.partition(": ")
            if field == "id":
                if enough(events):
                    break
                last, events = value, events + 1
            elif field == "data":
                text.append(value + "\n")
    return "".join(text), last


def test_a_live_log_is_resumed_where_it_broke_off(vendor: httpx.Client) -> None:
    counting = "all:\n" + "".join(f"\t@echo line {n}; sleep 1\n" for n in range(5))
    deposit, _ = deposit_tar(vendor, WHOLE | {"Makefile": counting + "\tcc -o engine main.c\n"})
    first, last = _read_log(vendor, deposit, "", lambda events: events >= 2)
    rest, _ = _read_log(vendor, deposit, last, lambda _: False)
    whole, _ = _read_log(vendor, deposit, "", lambda _: False)
    assert first
    assert first + rest == whole
    assert whole.count("line 3\n") == 1


@pytest.fixture(scope="module")
def reported(served: Served) -> str:
    """Deposit the project and wait for its report."""
    client = http(served.here.url, served.cast.tokens["vendor"])
    deposit, _ = deposit_tar(client, WHOLE)
    _concluded(client, deposit)
    return deposit


@pytest.mark.parametrize("role", ["beneficiary", "agent_1"])
def test_others_see_that_it_builds_and_not_what(served: Served, reported: str, role: str) -> None:
    client = http(served.here.url, served.cast.tokens[role])
    shown = client.get(f"/api/v1/deposits/{reported}").json()
    assert (shown["verdict"], shown["level"]) == ("pass", "build")
    assert shown["reports"] == [role.partition("_")[0]]
    assert "parts" not in shown
    summary = client.get(f"/api/v1/deposits/{reported}/report").json()["summary"]
    # A code out of the public registry, and how often: no sentence, no name, no component.
    told = {key for finding in summary["findings"] for key in finding}
    assert told == {"code", "title", "severity", "level", "count"}


def test_papers_hold_offline_and_changed_ones_do_not(served: Served, reported: str) -> None:
    here, folder = served.here, served.here.folder
    receipt, report, forged = (folder / f"{name}.json" for name in ("own", "seen", "forged"))
    here.escrow(served.person("vendor"), "receipt", reported, "--save", str(receipt))
    here.escrow(served.person("beneficiary"), "report", reported, "--save", str(report))
    offline = here.person() | {"ESCROW_URL": "http://127.0.0.1:1"}
    here.escrow(offline, "check", str(receipt), str(report))
    document = json.loads(report.read_text())
    envelope = document["bundle"]["dsseEnvelope"]
    envelope["payload"] = base64.b64encode(b"{}").decode()
    forged.write_text(json.dumps(document))
    here.escrow(offline, "check", str(receipt), str(forged), expect=1)
    rootless = offline | {"ESCROW_TRUST_ROOT": str(folder / "none")}
    here.escrow(rootless, "check", str(report), expect=2)
