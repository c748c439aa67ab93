"""An installation with an outbox, a post office, and a clock that stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import Stream
from escrow.ledger.reading import RecordedEvent, read_stream
from escrow.notices import outbox, records
from escrow.notices.letters import Letterhead
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.notices.records import NoticeRow
from escrow.notices.sending import Sender
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.mail import PostOffice

AGREEMENT = AgreementId("agr_01kb2aaaaaaaaaaaaaaaaaaaaa")
REQUEST = "req_01kb2bbbbbbbbbbbbbbbbbbbbb"

LETTERHEAD = Letterhead(
    service="Trial Escrow",
    environment="production",
    public_url="https://escrow.example.org",
    sender="notices@escrow.example.org",
    reply_to="desk@escrow.example.org",
)

STATED = NoticeToSend(
    key=f"{REQUEST}:service-stated:vendor",
    kind=Kind.SERVICE_STATED,
    reader=Reader.VENDOR,
    to="ada@acme.example",
    agreement_id=AGREEMENT,
    request_id=REQUEST,
    last_day=LastDay(date(2026, 2, 11), "GB-ENG"),
)


class OutboxWorld:
    """What a test of this room needs."""

    def __init__(self, folder: Path) -> None:
        self.ledger = LedgerWorld(folder)
        self.database, self.clock = self.ledger.database, self.ledger.clock
        self.office = PostOffice()
        self.scribe = Scribe("worker", self.ledger.key("worker"), self.clock)
        self.sender = self.new_sender()

    def new_sender(self) -> Sender:
        return Sender(self.database, self.scribe, self.clock, self.office, LETTERHEAD)

    def post(self, notice: NoticeToSend = STATED, **changes: object) -> str:
        with self.database.writing() as session:
            return outbox.post(
                session,
                self.scribe,
                replace(notice, **changes),
                actor="mem_1",
                now=self.clock.now(),
            )

    def post_many(self, *addresses: str) -> list[str]:
        return [self.post(to=one, key=f"many:{n}") for n, one in enumerate(addresses)]

    def retry(self, notice_id: str) -> None:
        with self.database.writing() as session:
            outbox.retry(session, self.scribe, notice_id, actor="mem_op", now=self.clock.now())

    def row(self, notice_id: str) -> NoticeRow:
        with self.database.reading() as session:
            row = records.by_id(session, notice_id)
        assert row is not None
        return row

    def state(self, notice_id: str) -> str:
        return outbox.state_of(self.row(notice_id))

    def events(self) -> list[RecordedEvent]:
        with self.database.reading() as session:
            return list(read_stream(session, Stream("agreement", AGREEMENT)))

    def event_types(self) -> list[str]:
        return [one.event.type.removeprefix("notices:notice:") for one in self.events()]

    def send(self, after: timedelta = timedelta()) -> int:
        self.clock.move(after.total_seconds())
        return self.sender.send_due()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OutboxWorld]:
    made = OutboxWorld(tmp_path)
    yield made
    made.ledger.close()
