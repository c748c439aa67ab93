"""Papers wait for their timestamps, get them once, and are handed out with them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from escrow.evidence.bundles import SignedDocument, sign_together
from escrow.evidence.checking import check_document
from escrow.evidence.statements import RECEIPT_TYPE, SUMMARY_TYPE, statement
from escrow.evidence.timing import records
from escrow.evidence.timing.papers import await_timestamps, with_timestamps
from escrow.evidence.timing.stamper import FIRST_PAUSE, Stamper
from escrow.operations import tables
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.timestamps import TrialAuthority
from escrow.testing.witnesses import network


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches a kill."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialAuthority, TrialAuthority]:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    return TrialAuthority(folders[0], "tsa-one"), TrialAuthority(folders[1], "tsa-two")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LedgerWorld]:
    assert tables.ROOMS
    made = LedgerWorld(tmp_path)
    yield made
    made.close()


def _waiting_paper(world: LedgerWorld) -> SignedDocument:
    texts = [statement([("one", "ee" * 32)], kind, {}) for kind in (RECEIPT_TYPE, SUMMARY_TYPE)]
    signed = sign_together(texts[0], texts[1:], world.key("worker"))
    with world.database.writing() as session:
        await_timestamps(session, signed, world.clock.now())
    return signed


def _count(world: LedgerWorld) -> int:
    with world.database.reading() as session:
        return records.waiting(session)[0]


def _handed_out(world: LedgerWorld, paper: SignedDocument, *trials: TrialAuthority):
    with world.database.reading() as session:
        return with_timestamps(session, paper, [one.authority for one in trials])


def test_each_signature_of_a_paper_gets_its_token_once(world, trials) -> None:
    one, _ = trials
    paper = _waiting_paper(world)
    assert _handed_out(world, paper, one) == paper
    stamper = Stamper(world.database, [one.authority], world.clock, network(one))
    assert stamper.stamp_waiting() == 2
    assert (_count(world), stamper.stamp_waiting()) == (0, 0)
    shown = _handed_out(world, paper, one)
    assert [len(each.timestamps) for each in (shown.leading, *shown.beside)] == [1, 1]
    # Signed anew, as a receipt is after a kill: the same signature, which has its token.
    _waiting_paper(world)
    assert _count(world) == 0


def test_an_authority_that_is_silent_is_asked_again_later_and_the_next_one_now(
    world: LedgerWorld, trials
) -> None:
    one, two = trials
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return network(*([two] if one.is_silent else [one, two])).handle_request(request)

    authorities = [one.authority, two.authority]
    stamper = Stamper(world.database, authorities, world.clock, httpx.MockTransport(answer))
    one.is_silent = True
    paper = _waiting_paper(world)
    try:
        assert stamper.stamp_waiting() == 2
        assert asked == ["tsa-one.authority", "tsa-two.authority", "tsa-two.authority"]
        two.is_silent = True
        second = sign_together(b"another", [], world.key("worker"))
        with world.database.writing() as session:
            await_timestamps(session, second, world.clock.now())
        world.clock.move(FIRST_PAUSE.total_seconds())
        assert stamper.stamp_waiting() == 0
        asked.clear()
        # Both are silent, the first for the second time: left alone for twice as long.
        world.clock.move(FIRST_PAUSE.total_seconds())
        assert stamper.stamp_waiting() == 0
        assert asked == ["tsa-two.authority"]
    finally:
        one.is_silent = two.is_silent = False
    world.clock.move(timedelta(hours=1).total_seconds())
    assert stamper.stamp_waiting() == 1
    names = {each.timestamps for each in _handed_out(world, paper, two).beside}
    assert names != {()}


@pytest.mark.parametrize("after", ["asking", "storing"])
def test_a_kill_between_any_two_steps_loses_no_token_and_makes_none_twice(
    world: LedgerWorld, trials, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = trials
    paper = _waiting_paper(world)
    stamper = Stamper(world.database, [one.authority], world.clock, network(one))
    with monkeypatch.context() as broken:
        whole = records.stop_waiting if after == "storing" else records.keep_token

        def cut(*_: object) -> None:
            raise PowerCut

        broken.setattr(records, whole.__name__, cut)
        with pytest.raises(PowerCut):
            stamper.stamp_waiting()
    assert (_count(world), _handed_out(world, paper, one)) == (2, paper)
    again = Stamper(world.database, [one.authority], world.clock, network(one))
    assert again.stamp_waiting() == 2
    assert all(each.timestamps for each in _handed_out(world, paper, one).beside)


def test_without_an_authority_nothing_changes(world: LedgerWorld) -> None:
    paper = _waiting_paper(world)
    assert Stamper(world.database, (), world.clock).stamp_waiting() == 0
    assert _handed_out(world, paper) == paper
    # They go on waiting: one that is named later stamps them all.
    assert _count(world) == 2


def test_a_stamped_paper_holds_and_tells_the_time(world: LedgerWorld, trials) -> None:
    from dataclasses import replace

    from escrow.evidence.anchors import Anchors

    one, _ = trials
    text = statement([("one", "ee" * 32)], RECEIPT_TYPE, {"service": {"environment": "production"}})
    paper = world.issue(text)
    with world.database.writing() as session:
        await_timestamps(session, paper, world.clock.now())
    Stamper(world.database, [one.authority], world.clock, network(one)).stamp_waiting()
    root = replace(world.trust_root, anchors=Anchors(authorities=(one.authority,)))
    checked = check_document(_handed_out(world, paper, one).to_json(), root)
    assert [each.authority for each in checked.times] == ["tsa-one"]
