"""Somebody writes rows before the keyholder seals a deposit's lasting headers by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from escrow.deposits import records as deposits
from escrow.evidence.statements import Stamp
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId, PartId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.lanes import Lanes
from escrow.operations.keyholder.wire import WORKER
from escrow.register.errors import AgreementTextTampered
from escrow.register.records import VersionRow
from escrow.testing.ledgers import LedgerWorld
from escrow.vault import age, records
from escrow.vault.headers import file_key_commitment
from escrow.vault.keys import FileKeyManager, InsecureKeyManager
from tests.rooms.register.conftest import PRODUCT, RegisterWorld

DEPOSIT, PART = DepositId("dep_1"), PartId("prt_1")
DIGEST = Sha256Hex("a" * 64)


class KeyholderWorld:
    """A keyholder over a real register and ledger, and a sealed deposit that awaits headers."""

    def __init__(self, folder: Path) -> None:
        self.ledger = LedgerWorld(folder)
        self.database, self.clock = self.ledger.database, self.ledger.clock
        key = self.ledger.key("keyholder")
        with pytest.warns(InsecureKeyManager):
            keys = FileKeyManager(folder / "keys")
        self.worker = age.new_x25519_identity()
        self.grounds = Grounds(
            self.database,
            keys,
            key,
            Scribe("keyholder", key, self.clock),
            self.ledger.sequencer,
            self.ledger.keys,
            {WORKER: str(self.worker.recipient)},
            self.clock,
            self.ledger.heads,
            Stamp("Trial Escrow", "production", "0"),
        )
        self.lanes = Lanes(self.grounds)
        with self.database.writing() as session:
            self.register = RegisterWorld(self.ledger, session)
        self.file_key = age.FileKey.generate()

    @contextmanager
    def acting(self) -> Iterator[Session]:
        """Give a session to the people of the register, and to whoever owns the database."""
        with self.database.writing() as session:
            self.register.session = session
            yield session

    def file(self) -> AgreementId:
        with self.acting():
            view = self.register.accept_by_all(self.register.file())
            for kind in ("primary", "recovery"):
                self.register.prove(view.agreement_id, kind)
        return view.agreement_id

    def bring_into_force(self) -> AgreementId:
        agreement_id = self.file()
        Ceremonies(self.grounds).hold_ceremony(agreement_id)
        with self.acting():
            self.register.open_canary(agreement_id, "agent_1", "agent_2")
        return agreement_id

    def deposit(self, agreement_id: AgreementId, lane: str | None = None) -> None:
        """Seal a deposit of one part as the portal does."""
        lane = lane or self.lanes.open_lane(PRODUCT, DEPOSIT)["recipient"]
        header = age.wrap_file_key(self.file_key, [age.parse_recipient(lane)])
        data = {
            "deposit_id": DEPOSIT,
            "agreements": [[agreement_id, 1]],
            "parts": [{"part_id": PART, "payload_sha256": DIGEST}],
        }
        event = NewEvent(Stream("product", PRODUCT), "deposits:deposit:sealed", "tok_1", data)
        with self.acting() as session:
            entry = self.register.scribe.append(session, event)
            rows = (_product(self), _deposit(self, entry.entry_sha256), _part(self, header))
            for row in rows:
                deposits.add(session, row)


def _product(world: KeyholderWorld) -> deposits.Product:
    return deposits.Product(
        id=PRODUCT,
        organisation_id="org_1",
        slug="ledger-core",
        name="Core",
        history="full",
        terms_salt="",
        created_at=world.clock.now(),
    )


def _deposit(world: KeyholderWorld, entry_sha256: str) -> deposits.Deposit:
    return deposits.Deposit(
        id=DEPOSIT,
        product_id=PRODUCT,
        number=1,
        state="sealed",
        via="upload",
        opened_by="tok_1",
        opened_at=world.clock.now(),
        ledger_entry_sha256=entry_sha256,
    )


def _part(world: KeyholderWorld, header: bytes) -> deposits.Part:
    return deposits.Part(
        id=PART,
        deposit_id=DEPOSIT,
        product_id=PRODUCT,
        kind="source",
        name="core",
        media="tar",
        size_bytes=1,
        sha256=DIGEST,
        encoding="identity",
        payload_sha256=DIGEST,
        payload_size_bytes=1,
        lane_header=header,
        as_of=world.clock.now(),
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[KeyholderWorld]:
    made = KeyholderWorld(tmp_path)
    yield made
    made.ledger.close()


def test_honest_rows_are_sealed_and_opened(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.lanes.seal_lasting_headers(DEPOSIT)
    world.grounds.sequence()
    assert world.lanes.open_for_verification(DEPOSIT, WORKER)["sealed"]


def test_exchanged_sealing_key_gets_no_header(world: KeyholderWorld) -> None:
    agreement_id = world.bring_into_force()
    with world.acting() as session:
        epoch = records.counting_epoch(session, agreement_id)
        assert epoch is not None
        epoch.recipient = str(age.new_hybrid_identity().recipient)
    world.deposit(agreement_id)
    with pytest.raises(NotInLedger, match="vault:epoch:dealt"):
        world.lanes.seal_lasting_headers(DEPOSIT)


def test_custody_changed_in_the_stored_text_is_refused(world: KeyholderWorld) -> None:
    agreement_id = world.bring_into_force()
    with world.acting() as session:
        _rewrite(session, agreement_id, 'custody = "sealed"', 'custody = "standing"')
    world.deposit(agreement_id)
    with pytest.raises(AgreementTextTampered):
        world.lanes.seal_lasting_headers(DEPOSIT)


def test_shares_are_not_dealt_to_agents_that_a_row_names(world: KeyholderWorld) -> None:
    agreement_id, mine = world.file(), str(age.new_x25519_identity().recipient)
    with world.acting() as session:
        his = str(world.register.cast.identity("agent_1").recipient)
        _rewrite(session, agreement_id, his, mine)
    with pytest.raises(NotInLedger, match="filed"):
        Ceremonies(world.grounds).hold_ceremony(agreement_id)


def test_hidden_agreement_is_missed(world: KeyholderWorld) -> None:
    agreement_id = world.bring_into_force()
    world.deposit(agreement_id)
    with world.acting() as session:
        row = session.get(VersionRow, (agreement_id, 1))
        assert row is not None
        row.in_force_at = None
    with pytest.raises(NotInLedger, match="not in force"):
        world.lanes.seal_lasting_headers(DEPOSIT)


def test_planted_header_record_is_not_taken_for_ours(world: KeyholderWorld) -> None:
    agreement_id = world.bring_into_force()
    world.deposit(agreement_id)
    with world.acting() as session:
        records.add(session, _planted(world, agreement_id))
    with pytest.raises(NotInLedger, match="not those that were logged"):
        world.lanes.seal_lasting_headers(DEPOSIT)


def test_claimed_but_unwritten_headers_are_missed(world: KeyholderWorld) -> None:
    world.deposit(world.bring_into_force())
    with world.acting() as session:
        lane = records.lane_of(session, DEPOSIT)
        assert lane is not None
        records.note_headers_entry(session, lane, "f" * 64, lane.closes_at)
    with pytest.raises(NotInLedger):
        world.lanes.seal_lasting_headers(DEPOSIT)


def _rewrite(session: Session, agreement_id: AgreementId, old: str, new: str) -> None:
    """Change a stored text and its digest, as whoever owns the database's file can."""
    plain = session.connection().exec_driver_sql
    for (name,) in plain("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        plain(f"DROP TRIGGER {name}")
    row = session.get(VersionRow, (agreement_id, 1))
    assert row is not None and old in row.text
    row.text = row.text.replace(old, new)
    row.text_sha256 = sha256_hex(row.text.encode())


def _planted(world: KeyholderWorld, agreement_id: AgreementId) -> records.HeaderRecordRow:
    return records.HeaderRecordRow(
        agreement_id=agreement_id,
        product_id=PRODUCT,
        deposit_id=DEPOSIT,
        part_id=PART,
        lock="a+b",
        epoch=1,
        payload_sha256=DIGEST,
        key_id=f"agreement-{agreement_id}",
        record=b"opens to nobody",
        commitment_salt="salt",
        commitment=file_key_commitment("salt", world.file_key),
        created_at=world.clock.now(),
    )
