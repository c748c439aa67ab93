"""A draft finished while the keyholder is out: stored, and said so; finished again, complete."""

from __future__ import annotations

import pytest

from escrow.ground.errors import Unavailable
from escrow.testing.portal import PortalWorld
from escrow.testing.verification import A_PYTHON_PROJECT, tar_of


@pytest.fixture
def draft(busy: PortalWorld) -> str:
    made = busy.draft()
    busy.upload(made, "source/core", "tar", tar_of(A_PYTHON_PROJECT))
    return made


def out(*_: object) -> None:
    raise Unavailable("The keyholder does not answer.", "Wait.")


def test_it_is_stored_and_its_receipt_follows(
    busy: PortalWorld, draft: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"Idempotency-Key": key}
    with monkeypatch.context() as away:
        away.setattr(busy.keyholder, "seal_lasting_headers", out)
        waiting = busy.ask("POST", f"/deposits/{draft}/finish", "vendor", headers=sent)
        assert busy.ask("GET", f"/deposits/{draft}/receipt", "vendor").status_code == 503
        assert busy.do("GET", f"/deposits/{draft}", "vendor")["receipt"] == "pending"
    assert (waiting.status_code, waiting.json()["receipt"]) == (202, "pending")
    assert "Retry-After" in waiting.headers
    assert "stored and logged" in waiting.json()["because"]
    done = busy.ask("POST", f"/deposits/{draft}/finish", "vendor", headers=sent)
    assert (done.status_code, done.json()["receipt"]) == (200, "made")
    assert done.json()["number"] == waiting.json()["number"], "a waiting answer is not remembered"


def test_a_keyholder_that_is_out_before_leaves_the_draft_open(
    busy: PortalWorld, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(busy.keyholder, "open_lane", out)
        assert busy.ask("POST", f"/deposits/{draft}/finish", "vendor").status_code == 503
    shown = busy.do("GET", f"/deposits/{draft}", "vendor")
    assert (shown["state"], shown["receipt"]) == ("open", None)
    assert busy.do("POST", f"/deposits/{draft}/finish", "vendor")["receipt"] == "made"
