"""Processes that run apart meet in a folder; each pins the others, and believes nobody else."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.ground.settings import Settings, read_settings
from escrow.ground.signatures import SigningKey
from escrow.operations.home import Home, lay_out_apart
from escrow.operations.introductions import (
    Introduction,
    ProcessExchanged,
    ProcessMissing,
    make_trust_root,
    meet,
    own_credentials,
    pin_trust_root,
)

KEYS = {"portal": ("portal",), "worker": ("worker",), "keyholder": ("keyholder", "log", "leaf")}


class Process:
    """One of the three, with a home of its own."""

    def __init__(self, folder: Path, role: str) -> None:
        self.role = role
        self.home = Home(folder / "homes" / role)
        lay_out_apart(self.home, self.home.service)
        environment = {
            "ESCROW_ENV": "demo",
            "ESCROW_HOME": str(self.home.root),
            "ESCROW_EXCHANGE": str(folder / "exchange"),
        }
        self.settings: Settings = read_settings(environment, home_folder=folder)
        _, certificate = own_credentials(self.home, role)
        keys = {name: SigningKey.generate().public for name in KEYS[role]}
        self.own = Introduction(role, keys, certificate, "age1…" if role == "worker" else "")

    def meet(self, *others: str) -> dict[str, Introduction]:
        return meet(self.settings, self.home, self.own, others, patience_seconds=5)


@pytest.fixture
def three(tmp_path: Path) -> dict[str, Process]:
    """All three, after their first meeting."""
    made = {role: Process(tmp_path, role) for role in KEYS}
    for one in made.values():
        one.meet()
    keyholder = made["keyholder"]
    others = keyholder.meet("portal", "worker")
    make_trust_root(keyholder.settings, keyholder.home, keyholder.own, others)
    return made


def test_each_knows_the_others_and_all_have_one_trust_root(three: dict[str, Process]) -> None:
    met = three["portal"].meet("keyholder", "worker")
    assert met == {role: three[role].own for role in ("keyholder", "worker")}
    roots = {
        pin_trust_root(one.settings, one.home, one.own).fingerprint()
        for one in (three["portal"], three["worker"])
    }
    assert len(roots) == 1


def test_whoever_comes_later_is_waited_for(tmp_path: Path) -> None:
    portal, worker = Process(tmp_path, "portal"), Process(tmp_path, "worker")
    late = threading.Timer(0.5, worker.meet)
    late.start()
    assert portal.meet("worker") == {"worker": worker.own}
    late.join()


def test_whoever_does_not_come_is_named(tmp_path: Path) -> None:
    portal = Process(tmp_path, "portal")
    with pytest.raises(ProcessMissing, match="worker has not introduced itself"):
        meet(portal.settings, portal.home, portal.own, ["worker"], patience_seconds=0.1)


def test_an_exchanged_worker_is_not_taken_for_the_first(three: dict[str, Process]) -> None:
    worker = three["worker"]
    worker.own = replace(worker.own, recipient="age1-of-somebody-else")
    worker.meet()
    with pytest.raises(ProcessExchanged, match="worker shows other keys"):
        three["keyholder"].meet("portal", "worker")


def test_one_who_lies_in_anothers_folder_is_not_taken(three: dict[str, Process]) -> None:
    exchange = three["portal"].settings.exchange
    (exchange / "worker" / "introduction.json").write_text(three["portal"].own.to_json())
    with pytest.raises(ProcessExchanged):
        three["portal"].meet("worker")


def test_a_trust_root_that_names_another_key_as_ours_is_refused(three: dict[str, Process]) -> None:
    portal = three["portal"]
    stranger = replace(portal.own, keys={"portal": SigningKey.generate().public})
    with pytest.raises(ProcessExchanged, match="keyholder shows other keys"):
        pin_trust_root(portal.settings, portal.home, stranger)


def test_another_trust_root_than_the_pinned_one_is_refused(three: dict[str, Process]) -> None:
    portal, keyholder = three["portal"], three["keyholder"]
    pin_trust_root(portal.settings, portal.home, portal.own)
    (keyholder.home.trust_root).unlink()
    other = replace(
        keyholder.own, keys={name: SigningKey.generate().public for name in KEYS["keyholder"]}
    )
    others = keyholder.meet("portal", "worker")
    make_trust_root(keyholder.settings, keyholder.home, other, others)
    with pytest.raises(ProcessExchanged):
        pin_trust_root(portal.settings, portal.home, portal.own)


def test_what_is_laid_out_holds_no_private_key(three: dict[str, Process]) -> None:
    for path in three["portal"].settings.exchange.rglob("*.json"):
        assert "PRIVATE" not in path.read_text()
    key = three["portal"].home.tls / "portal.key"
    assert "PRIVATE" in key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
