"""An agent's client asks stock witnesses before it signs: what it takes, and what it says."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from escrow import VERSION_HEADER
from escrow.evidence.anchors import Anchors
from escrow.evidence.collecting import Collector
from escrow.ground.clock import SystemClock
from escrow.ledger.checkpoints import Checkpoint
from escrow.ledger.proofs import newest_checkpoint
from escrow.operations.cli.witnessing import NoQuorum, OtherHistoryShown, check_witnesses
from escrow.portal.sigsum import SigsumApp
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.serving import served
from tests.witnesses import StockWitness, both_running

ON_SQLITE_ALONE = True

SIGSUM = "/sigsum/v1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    (tmp_path / "world").mkdir()
    made = LedgerWorld(tmp_path / "world")
    yield made
    made.close()


@pytest.fixture
def stock(world: LedgerWorld, tmp_path: Path) -> tuple[StockWitness, StockWitness]:
    one, two = (StockWitness(tmp_path / name, world.keys.log, name) for name in ("one", "two"))
    return one, two


@contextlib.contextmanager
def service(world: LedgerWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show a world's log where the client looks for the service."""
    app = SigsumApp(world.database, world.keys.log)

    async def below(scope, receive, send) -> None:
        async def sign(message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (VERSION_HEADER.encode(), b"0")]
            await send(message)

        await app({**scope, "root_path": SIGSUM}, receive, sign)

    with served(below) as url:
        monkeypatch.setenv("ESCROW_URL", url)
        yield


def root(world: LedgerWorld, stock, quorum: int = 2):
    anchors = Anchors(tuple(one.witness for one in stock), quorum)
    return replace(world.trust_root, anchors=anchors)


def collect(world: LedgerWorld, trust_root) -> None:
    clock = SystemClock()
    Collector(world.database, world.keys.log, trust_root.anchors, clock).collect()


def head(world: LedgerWorld) -> Checkpoint:
    with world.database.reading() as session:
        found = newest_checkpoint(session, world.keys)
    assert found is not None
    return found


def test_two_witnesses_bear_out_what_is_shown(world, stock, monkeypatch, capsys) -> None:
    shown = world.grow(5)
    world.grow(7)
    with both_running(*stock), service(world, monkeypatch):
        # Whether they were asked before or not: the client proves the growth to them itself.
        assert check_witnesses(root(world, stock), shown).agreed == ("one", "two")
        assert check_witnesses(root(world, stock), head(world)).agreed == ("one", "two")
    assert "Witness one bears out 12 entries." in capsys.readouterr().err


def test_a_silent_witness_is_told_by_name_and_without_a_quorum_nothing_is_signed(
    world, stock, monkeypatch, capsys
) -> None:
    shown = world.grow(5)
    with stock[0].running(), service(world, monkeypatch):
        with pytest.raises(NoQuorum, match="silent: two"):
            check_witnesses(root(world, stock), shown)
        outcome = check_witnesses(root(world, stock, quorum=1), shown)
        assert (outcome.agreed, outcome.silent) == (("one",), ("two",))
    assert "The witness two did not cosign" in capsys.readouterr().err


def test_a_witness_with_another_key_counts_for_nothing(world, stock, monkeypatch) -> None:
    shown = world.grow(5)
    with both_running(*stock), service(world, monkeypatch):
        one, two = (each.witness for each in stock)
        crossed = Anchors((replace(one, url=two.url), replace(two, url=one.url)), 2)
        with pytest.raises(NoQuorum):
            check_witnesses(replace(world.trust_root, anchors=crossed), shown)


def test_a_ledger_that_was_rolled_back_is_not_signed(world, stock, tmp_path, monkeypatch) -> None:
    world.grow(5)
    world.database.close()
    shutil.copytree(world.folder, tmp_path / "older")
    onwards, back = LedgerWorld(world.folder), LedgerWorld(tmp_path / "older")
    onwards.grow(4)
    with both_running(*stock):
        collect(onwards, root(world, stock))
        with (
            service(back, monkeypatch),
            pytest.raises(OtherHistoryShown, match="one has seen 9 leaves"),
        ):
            check_witnesses(root(world, stock), head(back))
        back.grow(8)
        with service(back, monkeypatch), pytest.raises(OtherHistoryShown, match="another history"):
            check_witnesses(root(world, stock), head(back))
    onwards.close()
    back.close()


def test_one_history_for_the_agent_and_another_for_the_public(
    world, stock, tmp_path, monkeypatch
) -> None:
    shown = world.grow(6)
    (tmp_path / "other").mkdir()
    other = LedgerWorld(tmp_path / "other")
    other.grow(6)
    with service(other, monkeypatch), pytest.raises(OtherHistoryShown):
        check_witnesses(root(world, stock), shown)
    other.grow(200)
    with service(other, monkeypatch), pytest.raises(OtherHistoryShown, match="newest has 206"):
        check_witnesses(root(world, stock), shown)
    other.close()


def test_a_trust_root_without_witnesses_is_said_to_be_one(world, capsys) -> None:
    assert check_witnesses(world.trust_root, world.grow(1)).agreed == ()
    assert "only the service vouches" in capsys.readouterr().err
