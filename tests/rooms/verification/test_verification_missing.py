"""A deposit that is owed and does not come: one signed, logged notice for each period."""

from datetime import timedelta

import pytest

from escrow.evidence.bundles import SignedDocument
from escrow.evidence.checking import check_document
from escrow.notices import records as notices
from escrow.register.inforce import agreements_in_force
from escrow.testing.timestamps import waits_for_time
from escrow.testing.verification import AGREEMENT, PRODUCT, VerificationWorld
from escrow.verification.missing import records, watch
from escrow.verification.missing.watch import SIGNED, Watch, owed_of


class Killed(BaseException):
    """The process died here."""


@pytest.fixture
def looking(world: VerificationWorld) -> Watch:
    tools = world.tools
    return Watch(world.database, tools.scribe, tools.signer, tools.stamp, world.clock)


def _wait(world: VerificationWorld, periods: int = 1, more: timedelta = timedelta(days=1)) -> None:
    """Let periods pass since whatever counts now, with the grace of the last, and a day."""
    with world.database.reading() as session:
        (governing,) = agreements_in_force(session, PRODUCT)
        owed = owed_of(session, governing, PRODUCT)
    world.clock.moment = owed.since + periods * owed.cadence + owed.grace + more


def _kept(world: VerificationWorld) -> list[records.MissingDepositRow]:
    with world.database.reading() as session:
        return records.notices_of(session, AGREEMENT)


def test_nothing_is_missing_until_the_grace_has_passed(
    world: VerificationWorld, looking: Watch
) -> None:
    _wait(world, more=timedelta())
    assert looking.look() == 0
    _wait(world, more=timedelta(seconds=1))
    assert looking.look() == 1


def test_a_period_has_one_notice_however_often_somebody_looks(
    world: VerificationWorld, looking: Watch
) -> None:
    _wait(world)
    assert [looking.look(), looking.look()] == [1, 0]
    assert len(_kept(world)) == 1
    _wait(world, periods=3)
    assert looking.look() == 2
    assert len({row.due_at for row in _kept(world)}) == 3


def test_the_notice_is_signed_logged_and_told_to_everybody(
    world: VerificationWorld, looking: Watch
) -> None:
    _wait(world)
    looking.look()
    world.ledger.sequence()
    (row,) = _kept(world)
    document = SignedDocument.from_json(row.document)
    assert waits_for_time(world.database, row.document)
    proven = document.with_proof(world.ledger.proof(row.entry_sha256))
    checked = check_document(proven.to_json(), world.ledger.trust_root)
    assert checked.kind.name == "missing-deposit"
    assert checked.event.event.type == SIGNED
    assert checked.predicate["orderedLevel"] == "build"
    with world.database.reading() as session:
        posted = notices.page(session, only_failed=False, before=None, limit=50)
    told = {one.reader for one in posted if one.kind == "deposit-missing"}
    assert told == {"vendor", "beneficiary", "agent"}


def test_a_deposit_that_passes_begins_the_count_anew(
    world: VerificationWorld, looking: Watch
) -> None:
    _wait(world, more=timedelta(days=-1))
    world.verify(world.sealed_deposit())
    world.clock.move(timedelta(days=5).total_seconds())
    assert looking.look() == 0
    _wait(world)
    assert looking.look() == 1
    (row,) = _kept(world)
    predicate = check_document_of(world, row)
    assert predicate["deposit"] == {"productId": PRODUCT, "lastNumber": 1}


def check_document_of(world: VerificationWorld, row: records.MissingDepositRow) -> dict:
    world.ledger.sequence()
    document = SignedDocument.from_json(row.document)
    proven = document.with_proof(world.ledger.proof(row.entry_sha256))
    return dict(check_document(proven.to_json(), world.ledger.trust_root).predicate)


def test_a_deposit_that_does_not_reach_the_level_is_none(
    world: VerificationWorld, looking: Watch
) -> None:
    world.verify(world.sealed_deposit({"README.md": b"nothing to build\n"}))
    _wait(world)
    assert looking.look() == 1


@pytest.mark.parametrize("step", ["append", "add", "post"])
def test_killed_between_any_two_steps_there_is_one_notice(
    world: VerificationWorld, looking: Watch, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise Killed

    _wait(world)
    holders = {"append": (looking.scribe, step), "add": (watch.kept, step)}
    holder, name = holders.get(step, (watch.outbox, step))
    with monkeypatch.context() as patch:
        if step == "append":
            patch.setattr(type(holder), name, dies)
        else:
            patch.setattr(holder, name, dies)
        with pytest.raises(Killed):
            looking.look()
    assert (_kept(world), world.events("missing")) == ([], [])
    assert looking.look() == 1
    assert world.events("missing") == [SIGNED]
