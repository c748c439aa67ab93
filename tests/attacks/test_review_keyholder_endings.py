"""What a review of the keyholder found: rows that chose a key, others' deposits, leftovers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from escrow.custody import records
from escrow.custody.sessions import Item
from escrow.endings.errors import EndingHistoryBroken, LastBuildable
from escrow.endings.folding import fold_endings
from escrow.endings.rules import DEPOSIT_INTENDED, Product, Sight, check_replaced
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.ledger.events import Event, NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import proven_stream
from escrow.operations.keyholder.grounds import NotInLedger
from escrow.operations.keyholder.texts import check_text, read_texts
from escrow.register import records as register
from escrow.register.errors import AgreementTextTampered
from escrow.register.governing import texts_of
from escrow.testing.agreements import AgreementCast
from escrow.testing.endings import Endings
from escrow.vault import records as vault
from escrow.vault.age import encrypt_bytes, new_hybrid_identity, parse_recipient
from escrow.vault.continuity.copies import ContinuityFolder, Holders
from escrow.vault.lasting_headers import key_id_of
from escrow.vault.shreds import records as shreds

ON_SQLITE_ALONE = True

AGENTS = ("agent_1", "agent_2", "agent_3")


@pytest.fixture
def world(custody_world):
    return custody_world


def headers(world, deposit: str) -> int:
    with world.database.reading() as session:
        return len(vault.header_records_of(session, DepositId(deposit)))


def test_a_row_of_a_session_names_the_agreements_key(world) -> None:
    """What a session ends with destroys its own one-time key, and no other."""
    key_id = key_id_of(AgreementId(world.agreement))
    drill = world.begin_session("drill")
    with world.database.writing() as session:
        row = records.session_by_id(session, drill)
        row.key_id = key_id
        records.add(session, row)
    for agent in AGENTS:
        world.answer(drill, agent)
    assert world.keyholder._on.keys.has_key(key_id)


def test_a_row_of_a_round_names_the_agreements_key(world) -> None:
    key_id = key_id_of(AgreementId(world.agreement))
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for agent in AGENTS[:2]:
        world.confirm(request, agent)
    with world.database.writing() as session:
        row = vault.newest_round(session, request)
        assert row.sealed_identity is None
        row.key_id = key_id
        vault.add(session, row)
    world.keyholder.execute_release(request)
    assert world.keyholder._on.keys.has_key(key_id)


def test_the_text_in_force_is_exchanged_with_its_digest(world) -> None:
    """Whose recipients are dealt to is read from the text that was logged, not from another."""
    agreement, on = AgreementId(world.agreement), world.keyholder._on
    with world.database.writing() as session:
        chain = proven_stream(on, session, Stream("agreement", agreement))
        row = register.version_in_force(session, agreement)
        item = Item(agreement, 1, 2, 3, row.version, row.text_sha256)
        check_text(read_texts(session, agreement, chain), item)
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for name in session.execute(sa.text(triggers)).scalars().all():
            session.execute(sa.text(f"DROP TRIGGER {name}"))
        row.text += "\n"
        row.text_sha256 = sha256_hex(row.text.encode())
        register.add(session, row)
        with pytest.raises(AgreementTextTampered):
            check_text(read_texts(session, agreement, chain), item)


def test_the_keys_of_a_reopened_deposit_are_exchanged(world) -> None:
    """Anybody can seal keys to the worker; only what the keyholder logged is given to it."""
    held = world.begin_session("session")
    for agent in AGENTS:
        shown = world.answer(held, agent)
    [deposit] = shown["reopened"]
    assert world.keyholder.open_for_verification(DepositId(deposit))
    recipient = parse_recipient(world.keyholder._on.workers["worker"])
    with world.database.writing() as session:
        row = records.reopening_of(session, DepositId(deposit))
        row.sealed_keys = encrypt_bytes(b"{}", [recipient])
        records.add(session, row)
    with pytest.raises(NotInLedger):
        world.keyholder.open_for_verification(DepositId(deposit))


def test_a_killed_end_of_a_session_is_made_up_for(world) -> None:
    """The one-time key went, the row did not follow: the next call ends it."""
    held = world.begin_session("session")
    for agent in AGENTS:
        world.answer(held, agent)
    with world.database.writing() as session:
        row = records.session_by_id(session, held)
        assert row.ended_at is not None
        row.ended_at = None
        records.add(session, row)
    world.keyholder.settle_session(held)
    with world.database.reading() as session:
        assert records.session_by_id(session, held).ended_at is not None


def test_an_act_is_moved_to_another_agreement_of_the_same_people(world) -> None:
    endings = Endings(world)
    endings.hold()
    on, stream = world.keyholder._on, Stream("agreement", world.agreement)
    world.keyholder.sequence()
    with world.database.reading() as session:
        events = proven_stream(on, session, stream).events
    terms = world.cast.agreement
    moved = [
        replace(one, event=replace(one.event, stream=Stream("agreement", "agr_of_the_same")))
        for one in events
    ]
    fold_endings(events, texts_of(events, lambda _: terms))
    with pytest.raises(EndingHistoryBroken):
        fold_endings(moved, texts_of(moved, lambda _: terms))


def test_a_withdrawal_that_comes_after_retention_intended_breaks_nothing(world) -> None:
    """A kill between intent and shredding leaves room for a vendor's act, or a portal's."""
    deposit = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    world.verify(world.deposit())
    on, endings = world.keyholder._on, Endings(world)
    withdrawal = endings.withdraw(deposit)
    with world.database.writing() as session:
        row = vault.header_records_of(session, DepositId(deposit))[0]
        stream = Stream("product", row.product_id)
        data = {"deposit_id": deposit, "cause": "retention"}
        on.scribe.append(session, NewEvent(stream, DEPOSIT_INTENDED, KEYHOLDER, data))
    world.keyholder.shred_deposit(DepositId(deposit))
    assert headers(world, deposit) == 0
    shown = world.do("GET", f"/endings/{withdrawal}", "vendor")
    assert shown["state"] == "quarantined"
    endings.hold()


# --- histories that a taken portal writes ---------------------------------------------------------


def happened(kind: str, role: str, **data: object) -> Event:
    stream, at = Stream("product", "prd_1"), datetime(2026, 1, 1, tzinfo=UTC)
    return Event(stream, 0, None, kind, role, "x", at, "0" * 64, data)  # type: ignore[arg-type]


def sealing(deposit: str, number: int, agreement: str) -> Event:
    return happened(
        "deposits:deposit:sealed",
        "portal",
        deposit_id=deposit,
        number=number,
        agreements=[[agreement, 1]],
        parts=[{"part_id": deposit, "payload_sha256": deposit, "carried_from": None}],
    )


def product(*events: Event) -> Product:
    terms = AgreementCast().agreement
    sights = {one: Sight(AgreementId(one), terms, 1, {}, (), {}) for one in ("agr_1", "agr_2")}
    return Product(events, sights)


def test_a_second_sealing_takes_no_agreement_away() -> None:
    """A deposit that is logged anew for another agreement serves the first one all the same."""
    made = product(sealing("dep_1", 1, "agr_1"), sealing("dep_1", 9, "agr_2"))
    assert [one.agreement_id for one in made.serving("dep_1")] == ["agr_1", "agr_2"]
    assert made.sealings["dep_1"].data["number"] == 1


def test_the_last_but_one_whose_shredding_was_intended_counts_as_gone() -> None:
    one, two = sealing("dep_1", 1, "agr_1"), sealing("dep_2", 2, "agr_1")
    check_replaced(product(one, two), "dep_2")
    intended = happened(DEPOSIT_INTENDED, KEYHOLDER, deposit_id="dep_1", cause="retention")
    with pytest.raises(LastBuildable):
        check_replaced(product(one, two, intended), "dep_2")


def test_a_payload_of_another_product_keeps_its_headers(world) -> None:
    """A taken portal logs a deposit of its own that names a victim's payload, and withdraws it."""
    deposit = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"]
    with world.database.writing() as session:
        payloads = [one.payload_sha256 for one in vault.header_records_of(session, deposit)]
        assert not shreds.delete_headers_of_payloads(session, ProductId("prd_other"), payloads)
    assert headers(world, deposit) > 0


def test_a_copy_of_a_dealing_that_was_rolled_back_is_replaced(tmp_path) -> None:
    """Headers to a key that nobody has would else lie beside the share files of another."""
    folder = ContinuityFolder(
        tmp_path, Holders(2, tuple(str(new_hybrid_identity().recipient) for _ in range(3)))
    )
    agreement, deposit = AgreementId("agr_1"), DepositId("dep_1")
    folder.deal_key(agreement)
    before = folder.keep_header(agreement, deposit, "prt_1", 2, b"to a forgotten key")
    folder.keep_share_file(agreement, 2, 1, b"of a forgotten key")
    after = folder.keep_header(agreement, deposit, "prt_1", 2, b"to the key that was dealt")
    folder.keep_share_file(agreement, 2, 1, b"of the key that was dealt")
    copy = tmp_path / agreement / "records" / deposit / "prt_1.2.age"
    assert sha256_hex(copy.read_bytes()) == after != before
    assert (tmp_path / agreement / "agents" / "2" / "1.age").read_bytes().endswith(b"was dealt")
