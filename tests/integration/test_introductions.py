"""Processes that run apart meet in a folder; each pins the others, and believes nobody else."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence.errors import TrustRootMalformed
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
    workers_named,
)

SECOND = "worker/second"
KEYS = {"portal": ("portal",), "worker": ("worker",), "keyholder": ("keyholder", "log", "leaf")}


class Process:
    """One of the three, with a home of its own."""

    def __init__(self, folder: Path, role: str) -> None:
        self.role = role
        self.home = Home(folder / "homes" / role.replace("/", "-"))
        lay_out_apart(self.home, self.home.service)
        environment = {
            "ESCROW_ENV": "demo",
            "ESCROW_HOME": str(self.home.root),
            "ESCROW_EXCHANGE": str(folder / "exchange"),
        }
        self.settings: Settings = read_settings(environment, home_folder=folder)
        _, certificate = own_credentials(self.home, role)
        keys = {name: SigningKey.generate().public for name in KEYS.get(role, (role,))}
        self.own = Introduction(role, keys, certificate, "age1…" if "worker" in role else "")

    def meet(self, *others: str) -> dict[str, Introduction]:
        return meet(self.settings, self.home, self.own, others, patience_seconds=5)

    def told_of(self, *names: str) -> None:
        """Start anew with settings that name more workers."""
        self.settings = replace(self.settings, more_workers=names)


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


def _with_second(three: dict[str, Process], folder: Path) -> Process:
    """Let a second worker in at the keyholder, as its settings say."""
    second, keyholder = Process(folder, SECOND), three["keyholder"]
    for one in (second, keyholder):
        one.told_of("second")
    second.meet()
    others = keyholder.meet("portal", *workers_named(keyholder.settings))
    make_trust_root(keyholder.settings, keyholder.home, keyholder.own, others)
    return second


def test_a_second_worker_comes_into_an_installation_that_stands(
    three: dict[str, Process], tmp_path: Path
) -> None:
    portal = three["portal"]
    before = pin_trust_root(portal.settings, portal.home, portal.own)
    second = _with_second(three, tmp_path)
    portal.told_of("second")
    root = pin_trust_root(portal.settings, portal.home, portal.own)
    assert root.is_grown_from(before)
    assert root.workers == {"worker": before.roles["worker"], SECOND: second.own.keys[SECOND]}
    assert pin_trust_root(second.settings, second.home, second.own) == root


def test_a_worker_that_our_own_settings_do_not_name_is_not_taken_in(
    three: dict[str, Process], tmp_path: Path
) -> None:
    portal = three["portal"]
    pin_trust_root(portal.settings, portal.home, portal.own)
    _with_second(three, tmp_path)
    with pytest.raises(ProcessExchanged):
        pin_trust_root(portal.settings, portal.home, portal.own)


def test_a_worker_that_comes_in_cannot_bring_another_portal(
    three: dict[str, Process], tmp_path: Path
) -> None:
    keyholder, portal = three["keyholder"], three["portal"]
    second = Process(tmp_path, SECOND)
    keyholder.told_of("second")
    stranger = replace(portal.own, keys={"portal": SigningKey.generate().public})
    others = {"portal": stranger, "worker": three["worker"].own, SECOND: second.own}
    with pytest.raises(ProcessExchanged):
        make_trust_root(keyholder.settings, keyholder.home, keyholder.own, others)


def test_a_worker_under_two_names_is_refused(three: dict[str, Process]) -> None:
    keyholder, worker = three["keyholder"], three["worker"].own
    keyholder.told_of("second")
    twin = replace(worker, role=SECOND, keys={SECOND: worker.keys["worker"]})
    others = {"portal": three["portal"].own, "worker": worker, SECOND: twin}
    with pytest.raises(TrustRootMalformed, match="two purposes"):
        make_trust_root(keyholder.settings, keyholder.home, keyholder.own, others)
