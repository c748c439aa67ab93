"""The verbs of the intake, over a real database, ledger and blob store in a folder."""

from __future__ import annotations

import json

import pytest

from escrow.deposits.errors import (
    DepositBusy,
    DepositEmpty,
    DepositNotOpen,
    DepositUnfinished,
    DepositUnknown,
    NoAgreementInForce,
    PartExists,
    UploadConflict,
    UploadGone,
)
from escrow.deposits.intake import PartDescription
from escrow.deposits.uploads import MAX_LIVE_UPLOADS, UploadRequest, UploadState
from escrow.evidence.checking import check_document
from escrow.evidence.receipts import PartFacts, part_commitment
from escrow.ground.identifiers import DepositId, TokenId
from escrow.ground.signatures import BadSignature
from escrow.testing.intake import IntakeWorld
from escrow.testing.keyholder import KeyholderOut
from escrow.testing.ledgers import named_key
from escrow.vault.lanes import LaneAnnouncement

ACTOR = "tok_1"


def begin(
    world: IntakeWorld, deposit: DepositId, name: str, length: int, kind: str = "data"
) -> UploadState:
    request = UploadRequest(PartDescription(kind, name, "file"), length)
    return world.desk.create(deposit, TokenId(ACTOR), request)


def send(
    world: IntakeWorld, deposit: DepositId, name: str, content: bytes, kind: str = "data"
) -> None:
    state = begin(world, deposit, name, len(content), kind)
    if content:
        with world.desk.writing(deposit, state.id, 0) as writer:
            writer.write(content)


def deposited(world: IntakeWorld, **parts: bytes) -> DepositId:
    draft = world.draft()
    for name, content in parts.items():
        send(world, draft, name, content)
    world.intake.finish(draft, ACTOR)
    return draft


def sealed_event(world: IntakeWorld, deposit: DepositId) -> dict[str, object]:
    receipt = world.intake.complete(deposit).receipt_json
    return dict(check_document(receipt, world.ledger.trust_root).event.event.data)


def test_numbers_follow_each_other_and_abandoned_drafts_take_none(world: IntakeWorld) -> None:
    deposited(world, a=b"1")
    world.intake.abandon(world.draft(), ACTOR)
    world.draft()
    deposited(world, a=b"2")
    assert [deposit.number for deposit in world.sealed()] == [2, 1]


def test_parts_not_sent_are_carried_from_where_they_came(world: IntakeWorld) -> None:
    first = deposited(world, a=b"1", b=b"2")
    deposited(world, a=b"3")
    third = deposited(world, c=b"4")
    origin = {part.name: part.id for part in world.parts(first)}
    parts = {part.name: part for part in world.parts(third)}
    assert parts["b"].carried_from == origin["b"]
    assert parts["a"].carried_from not in (None, origin["a"])
    assert parts["c"].carried_from is None


def test_the_receipt_says_from_which_deposit_a_part_is_carried(world: IntakeWorld) -> None:
    first = deposited(world, a=b"1")
    second = deposited(world, b=b"2")
    receipt = world.intake.complete(second).receipt_json
    parts = check_document(receipt, world.ledger.trust_root).statement.predicate["parts"]
    carried = {part["name"]: part["carriedFrom"] for part in parts}  # type: ignore[attr-defined]
    assert carried == {"a": first, "b": None}


def test_the_ledger_holds_no_name_and_no_plain_digest(world: IntakeWorld) -> None:
    deposit = deposited(world, secretname=b"content")
    [part] = world.parts(deposit)
    text = json.dumps(sealed_event(world, deposit))
    assert part.payload_sha256 in text
    assert "secretname" not in text
    assert part.sha256 not in text


def test_the_receipt_opens_the_commitment_of_the_ledger(world: IntakeWorld) -> None:
    deposit = deposited(world, a=b"1")
    [part], [row] = world.parts(deposit), world.sealed()
    facts = PartFacts(
        *(part.id, part.name, part.kind, part.media, part.size_bytes, part.sha256, part.encoding),
        *(part.payload_sha256, part.payload_size_bytes, part.as_of),
    )
    [logged] = sealed_event(world, deposit)["parts"]  # type: ignore[misc]
    assert logged["commitment"] == part_commitment(row.salt, facts)


def test_a_deposit_without_a_new_part_is_refused(world: IntakeWorld) -> None:
    deposited(world, a=b"1")
    with pytest.raises(DepositEmpty):
        world.intake.finish(world.draft(), ACTOR)


def test_a_deposit_waits_for_its_uploads(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    begin(world, draft, "b", 10)
    with pytest.raises(DepositBusy):
        world.intake.finish(draft, ACTOR)
    world.desk.give_up_all(draft)
    assert world.intake.finish(draft, ACTOR).number == 1


def test_without_an_agreement_nothing_is_opened_or_sealed(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    world.agreements.clear()
    with pytest.raises(NoAgreementInForce):
        world.draft()
    with pytest.raises(NoAgreementInForce):
        world.intake.finish(draft, ACTOR)
    assert world.sealed() == []


def test_a_draft_that_ended_takes_nothing(world: IntakeWorld) -> None:
    abandoned, done = world.draft(), deposited(world, a=b"1")
    world.intake.abandon(abandoned, ACTOR)
    world.intake.abandon(abandoned, ACTOR)
    for deposit in (abandoned, done):
        with pytest.raises(DepositNotOpen):
            begin(world, deposit, "late", 1)
    with pytest.raises(DepositNotOpen):
        world.intake.finish(abandoned, ACTOR)
    with pytest.raises(DepositNotOpen):
        world.intake.abandon(done, ACTOR)


def test_what_was_never_opened_is_unknown(world: IntakeWorld) -> None:
    for call in (world.intake.finish, world.intake.abandon):
        with pytest.raises(DepositUnknown):
            call(DepositId("dep_none"), ACTOR)


def test_one_part_of_a_name(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    send(world, draft, "a", b"1", kind="docs")
    with pytest.raises(PartExists):
        begin(world, draft, "a", 1)


class LyingKeyholder:
    """Announces a lane that it signed itself."""

    def __init__(self, world: IntakeWorld) -> None:
        self._real = world.keyholder

    def open_lane(self, product_id: str, deposit_id: str) -> LaneAnnouncement:
        real = self._real.open_lane(product_id, deposit_id)  # type: ignore[arg-type]
        signature = named_key("mallory").sign(b"whatever")
        return LaneAnnouncement(real.deposit_id, real.recipient, signature)

    def close_lane(self, deposit_id: str) -> None:
        self._real.close_lane(deposit_id)  # type: ignore[arg-type]


def test_a_lane_that_the_keyholder_did_not_sign_is_not_used(world: IntakeWorld) -> None:
    object.__setattr__(world.intake, "keyholder", LyingKeyholder(world))
    with pytest.raises(BadSignature):
        world.draft()


def test_a_sealed_deposit_is_completed_later(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    world.keyholder.is_out_for_headers = True
    with pytest.raises(DepositUnfinished, match="Deposit 1 is stored and logged"):
        world.intake.finish(draft, ACTOR)
    assert world.intake.complete_unfinished() == 1
    world.keyholder.is_out_for_headers = False
    assert world.intake.complete_unfinished() == 0
    assert world.sealed()[0].receipt_json is not None
    assert len(world.jobs.keys) == 1


def test_a_draft_stays_open_while_the_keyholder_is_out(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    world.keyholder.is_out = True
    with pytest.raises(KeyholderOut):
        world.intake.finish(draft, ACTOR)
    assert (world.sealed(), world.jobs.keys) == ([], [])
    world.keyholder.is_out = False
    assert world.intake.finish(draft, ACTOR).number == 1


def test_a_draft_whose_lane_ran_out_is_not_numbered(world: IntakeWorld) -> None:
    draft = world.draft()
    send(world, draft, "a", b"1")
    world.keyholder.close_lane(draft)
    with pytest.raises(DepositNotOpen, match="time of this draft is over"):
        world.intake.finish(draft, ACTOR)
    assert world.sealed() == []


def test_a_keyholder_that_is_out_opens_no_deposit(world: IntakeWorld) -> None:
    world.keyholder.is_out = True
    with pytest.raises(KeyholderOut):
        world.draft()
    world.keyholder.is_out = False
    assert deposited(world, a=b"1")


def test_more_uploads_than_are_held_in_memory_go_on(world: IntakeWorld) -> None:
    draft = world.draft()
    states = [begin(world, draft, f"part{i}", 4) for i in range(MAX_LIVE_UPLOADS + 3)]
    for offset in (0, 2):
        for state in states:
            with world.desk.writing(draft, state.id, offset) as writer:
                writer.write(b"ab")
    assert {world.opened(part) for part in world.parts(draft)} == {b"abab"}
    assert len(world.parts(draft)) == len(states)


def test_an_error_of_the_client_keeps_what_was_written(world: IntakeWorld) -> None:
    draft = world.draft()
    state = begin(world, draft, "a", 4)
    with pytest.raises(KeyError), world.desk.writing(draft, state.id, 0) as writer:
        writer.write(b"ab")
        raise KeyError
    assert world.desk.state(draft, state.id).offset == 2


def test_a_complete_upload_takes_nothing_more(world: IntakeWorld) -> None:
    draft = world.draft()
    state = begin(world, draft, "a", 2)
    with world.desk.writing(draft, state.id, 0) as writer:
        writer.write(b"ab")
    with pytest.raises(UploadConflict), world.desk.writing(draft, state.id, 2):
        pass
    with pytest.raises(UploadConflict):
        world.desk.terminate(draft, state.id)
    world.clock.move(10**6)
    assert world.desk.state(draft, state.id).is_finished


def test_an_expired_upload_is_gone_and_swept(world: IntakeWorld) -> None:
    draft = world.draft()
    state = begin(world, draft, "a", 2)
    world.clock.move(25 * 3600)
    with pytest.raises(UploadGone):
        world.desk.state(draft, state.id)
    assert (world.desk.expire(), world.desk.expire()) == (1, 0)
    assert world.leftovers() == []


def test_uploads_of_an_abandoned_draft_are_swept(world: IntakeWorld) -> None:
    draft = world.draft()
    begin(world, draft, "a", 2)
    world.intake.abandon(draft, ACTOR)
    assert world.desk.expire() == 1
    assert world.leftovers() == []


def test_an_upload_that_completes_too_late_is_refused_once(world: IntakeWorld) -> None:
    draft = world.draft()
    state = begin(world, draft, "a", 2)
    world.intake.abandon(draft, ACTOR)
    with pytest.raises(DepositNotOpen), world.desk.writing(draft, state.id, 0) as writer:
        writer.write(b"ab")
    with pytest.raises(UploadGone, match="was refused"):
        world.desk.state(draft, state.id)
    assert world.leftovers() == []
