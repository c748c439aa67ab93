"""Stock Sigsum programs against our public log: they follow it, and catch what is done to it."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from escrow.evidence.anchors import Anchors
from escrow.evidence.collecting import Collector
from escrow.ground.clock import SystemClock
from escrow.ledger import records
from escrow.ledger.checkpoints import verify_checkpoint
from escrow.ledger.errors import WitnessAhead, WitnessRefuses, WitnessSilent
from escrow.ledger.leaves import parse_leaf
from escrow.ledger.merkle import check_consistency, check_inclusion
from escrow.ledger.proofs import newest_checkpoint
from escrow.portal.sigsum import SigsumApp
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.serving import served
from tests.programs import sid_program
from tests.witnesses import StockWitness, both_running, policy, verifies, write_key

ON_SQLITE_ALONE = True

SIGSUM = "/sigsum/v1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    made = _world(tmp_path / "world")
    yield made
    made.close()


@pytest.fixture
def stock(world: LedgerWorld, tmp_path: Path) -> tuple[StockWitness, StockWitness]:
    one, two = (StockWitness(tmp_path / name, world.keys.log, name) for name in ("one", "two"))
    return one, two


def _world(folder: Path) -> LedgerWorld:
    folder.mkdir()
    return LedgerWorld(folder)


@contextlib.contextmanager
def log_of(*shown: LedgerWorld) -> Iterator[tuple[str, list[SigsumApp]]]:
    """Serve a world's log; whoever runs the service may put another into its place."""
    apps = [SigsumApp(one.database, one.keys.log) for one in shown]

    async def below(scope, receive, send) -> None:
        await apps[-1]({**scope, "root_path": SIGSUM}, receive, send)

    with served(below) as url:
        yield url + SIGSUM, apps


def collector(world: LedgerWorld, *witnesses) -> Collector:
    anchors = Anchors(tuple(witnesses), len(witnesses))
    return Collector(world.database, world.keys.log, anchors, SystemClock())


def frozen(world: LedgerWorld, to: Path) -> None:
    """Keep what the owner of database and keyholder's disk would keep to come back to."""
    world.database.close()
    shutil.copytree(world.folder, to)


def test_verifiers_in_go_and_c_accept_a_proof_with_its_witnesses(
    world: LedgerWorld, stock, tmp_path: Path
) -> None:
    entries = [world.append() for _ in range(7)]
    world.sequence()
    with both_running(*stock) as witnesses:
        assert collector(world, *witnesses).collect() == {}
    write_key(tmp_path / "leaf.pub", world.keys.leaf)
    policy(tmp_path / "policy", world.keys.log, witnesses)
    for program in ("sigsum-verify", "sigsum-c-verify"):
        for entry in entries[::3]:
            proof = world.proof(entry.entry_sha256).to_sigsum_text(world.keys.log)
            assert proof.count("cosignature=") == 2
            assert verifies(program, tmp_path, proof, entry.bytes)
            assert not verifies(program, tmp_path, proof, entry.bytes + b" ")
            lines = proof.splitlines(keepends=True)
            without = [one for one in lines if witnesses[0].key.key_id not in one]
            assert not verifies(program, tmp_path, "".join(without), entry.bytes)


def test_witnesses_follow_growth_and_a_repeated_question(world: LedgerWorld, stock) -> None:
    with both_running(*stock) as witnesses:
        for grown in (1, 1, 18, 30):
            world.grow(grown)
            # A collector that knows nothing is told by the witness where it stands.
            assert collector(world, *witnesses).collect() == {}
            assert collector(world, *witnesses).collect() == {}
    with world.database.reading() as session:
        head = newest_checkpoint(session, world.keys)
    assert head is not None and head.tree_size == 50


def test_a_rolled_back_ledger_is_refused_by_each_witness_by_name(
    world: LedgerWorld, stock, tmp_path: Path
) -> None:
    world.grow(5)
    older = tmp_path / "older"
    frozen(world, older)
    world = LedgerWorld(world.folder)
    with both_running(*stock) as witnesses:
        world.grow(4)
        assert collector(world, *witnesses).collect() == {}
        world.close()
        # Database and the keyholder's own disk, both put back: only outsiders remember.
        back = LedgerWorld(older)
        problems = collector(back, *witnesses).collect()
        assert {name: type(one) for name, one in problems.items()} == {
            "one": WitnessAhead,
            "two": WitnessAhead,
        }
        # Grown again past what the witnesses saw, it is a fork.
        back.grow(6)
        forked = collector(back, *witnesses).collect()
        assert {type(one) for one in forked.values()} == {WitnessRefuses}
        back.close()


def test_a_silent_witness_is_told_by_name(world: LedgerWorld, stock) -> None:
    world.grow(3)
    one, two = stock
    with one.running() as witness:
        problems = collector(world, witness, two.witness).collect()
    assert {name: type(problem) for name, problem in problems.items()} == {"two": WitnessSilent}


def test_the_monitor_follows_and_cries_out_at_a_rewritten_leaf(
    world: LedgerWorld, tmp_path: Path
) -> None:
    world.grow(5)
    leaf = write_key(tmp_path / "leaf.pub", world.keys.leaf)
    with log_of(world) as (url, apps):
        policy(tmp_path / "policy", world.keys.log, (), url)
        command = [sid_program("sigsum-monitor"), "-i", "200ms", "-p", "policy", leaf]
        output = tmp_path / "monitor"
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file)
        try:
            _await_text(output, "5", 5)
            world.grow(3)
            _await_text(output, "8", 5)
            assert process.poll() is None
            # The same keys, and as many leaves and one, but another leaf of old.
            other = _world(tmp_path / "other")
            other.grow(9)
            apps.append(SigsumApp(other.database, other.keys.log))
            _await_text(output, "consisten", 10)
            other.close()
        finally:
            process.kill()
            process.wait()


def _await_text(path: Path, text: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if text in path.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(path.read_text())


def test_the_four_answers_hold_by_our_own_arithmetic(world: LedgerWorld) -> None:
    world.grow(3)
    world.grow(10)
    with log_of(world) as (url, _), httpx.Client(base_url=url) as client:
        head = dict(_pairs(client.get("/get-tree-head")))
        root = bytes.fromhex(head["root_hash"])
        leaves = [
            parse_leaf(bytes.fromhex(value.replace(" ", "")))
            for _, value in _pairs(client.get("/get-leaves/0/13"))
        ]
        assert len(leaves) == 13
        for index, one in enumerate(leaves):
            one.check_signature(world.keys.leaf)
            found = _pairs(client.get(f"/get-inclusion-proof/13/{one.hash.hex()}"))
            assert found[0] == ("leaf_index", str(index))
            check_inclusion(one.hash, index, 13, _hashes(found[1:]), root)
        old = verify_checkpoint(_note(world, 3), world.keys.log)
        path = _hashes(_pairs(client.get("/get-consistency-proof/3/13")))
        check_consistency(3, old.root_hash, 13, root, path)


def test_strange_questions_are_refused(world: LedgerWorld) -> None:
    world.grow(4)
    zero = "0" * 64
    refused = {
        "/get-tree-head/1": 404,
        "/get-leaves/0": 404,
        "/get-leaves/2/2": 400,
        "/get-leaves/-1/2": 400,
        "/get-leaves/01/2": 400,
        "/get-leaves/4/5": 404,
        f"/get-inclusion-proof/4/{zero}": 404,
        f"/get-inclusion-proof/1/{zero}": 400,
        f"/get-inclusion-proof/9/{zero}": 404,
        "/get-inclusion-proof/4/xyz": 400,
        "/get-consistency-proof/0/4": 400,
        "/get-consistency-proof/4/4": 400,
        "/get-consistency-proof/2/9": 404,
        f"/get-consistency-proof/2/{'9' * 40}": 400,
    }
    with log_of(world) as (url, _), httpx.Client(base_url=url) as client:
        assert {path: client.get(path).status_code for path in refused} == refused
        assert client.post("/get-tree-head").status_code == 405
        assert len(_pairs(client.get("/get-leaves/2/1000"))) == 2


def test_only_what_stays_as_it_is_may_be_kept(world: LedgerWorld) -> None:
    world.grow(4)
    with log_of(world) as (url, _), httpx.Client(base_url=url) as client:
        kept = {
            path: "immutable" in client.get(path).headers["Cache-Control"]
            for path in ("/get-tree-head", "/get-leaves/0/4", "/get-leaves/0/9")
        }
        assert list(kept.values()) == [False, True, False]
        world.grow(2)
        assert len(_pairs(client.get("/get-leaves/0/9"))) == 6
        assert dict(_pairs(client.get("/get-tree-head")))["size"] == "6"


def _pairs(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    pairs = [line.partition("=") for line in answer.text.splitlines()]
    return [(name, value) for name, _, value in pairs]


def _hashes(pairs: list[tuple[str, str]]) -> list[bytes]:
    assert {name for name, _ in pairs} == {"node_hash"}
    return [bytes.fromhex(value) for _, value in pairs]


def _note(world: LedgerWorld, size: int) -> str:
    with world.database.reading() as session:
        return dict(records.all_checkpoints(session))[size]
