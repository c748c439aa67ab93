"""Receipts and reports get their RFC 3161 timestamps from the running worker, over a kill too."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.play import set_up_parties
from demo.stage import Stage, stage
from escrow.evidence.anchors import Anchors
from escrow.testing.timestamps import TrialAuthority
from tests.journeys.conftest import Served, wait_for
from tests.worlds import deposit_tar, http


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[TrialAuthority]:
    made = TrialAuthority(tmp_path / "tsa")
    made.is_silent = True
    with made.serving():
        yield made


@pytest.fixture
def served(trial: TrialAuthority, tmp_path: Path) -> Iterator[Served]:
    """A service whose trust root names a timestamp authority."""
    anchors = tmp_path / "anchors.json"
    anchors.write_text(json.dumps(Anchors(authorities=(trial.authority,)).to_json()))

    class Anchored(Stage):
        @property
        def service_environment(self) -> dict[str, str]:
            return super().service_environment | {"ESCROW_ANCHORS": str(anchors)}

    with stage(Anchored) as here:
        one_time = here.ask(here.service_environment, "admin", "init")["one_time_token"]
        here.start()
        yield Served(here, set_up_parties(here, str(one_time)))


def waiting(served: Served) -> int:
    told = served.here.ask(served.here.service_environment, "admin", "timestamps")
    assert (told["authorities"], told["overdue"]) == (["trial-tsa"], False)
    return int(str(told["waiting"]))


def tokens_of(bundle: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> list[bytes]:
    listed = bundle["verificationMaterial"].get("timestampVerificationData", {})
    return [base64.b64decode(one["signedTimestamp"]) for one in listed.get("rfc3161Timestamps", [])]


def test_papers_wait_for_a_silent_authority_and_are_stamped_when_it_speaks(
    served: Served, trial: TrialAuthority, tmp_path: Path
) -> None:
    client = http(served.here.url, served.cast.tokens["vendor"])
    deposit, _ = deposit_tar(client, {"README": "Run it."})

    def paper(name: str) -> dict[str, dict[str, dict[str, dict[str, list[dict[str, str]]]]]]:
        told = client.get(f"/api/v1/deposits/{deposit}/{name}").json()
        return told.get("document", told) if name == "report" else told

    # Nobody waits for the authority: the receipt is there, and whole without a time.
    assert tokens_of(paper("receipt")["bundle"]) == []
    assert waiting(served) >= 1
    served.kill()
    trial.is_silent = False
    served.here.start()

    receipt = wait_for(lambda: paper("receipt"), lambda one: bool(tokens_of(one["bundle"])))
    wait_for(lambda: paper("report"), lambda one: "bundle" in one and tokens_of(one["bundle"]))
    wait_for(lambda: waiting(served), lambda count: count == 0)
    report = paper("report")
    bundles = [receipt["bundle"], report["bundle"], *report["beside"]]
    assert report["beside"]
    for at, one in enumerate(bundles):
        (tmp_path / "token.tsr").write_bytes(tokens_of(one)[0])
        signature = one["dsseEnvelope"]["signatures"][0]["sig"]  # type: ignore[index]
        (tmp_path / "signature").write_bytes(base64.b64decode(signature))  # type: ignore[arg-type]
        line = ("openssl", "ts", "-verify", "-data", "signature", "-in", "token.tsr", "-CAfile")
        line = (*line, str(trial.folder / "ca.pem"))
        assert subprocess.run(line, cwd=tmp_path, check=False).returncode == 0, at

    files = [tmp_path / "receipt.json", tmp_path / "report.json"]
    for path, one in zip(files, (receipt, report), strict=True):
        path.write_text(json.dumps(one))
    told = served.here.escrow(served.person("vendor"), "check", *map(str, files), "--json")
    assert [bool(one["timestamps"]) for one in json.loads(told)] == [True, True]
