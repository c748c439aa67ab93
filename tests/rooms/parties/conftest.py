"""A world of one installation: a database on a file, a scribe, a clock that stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from escrow.ground.database import Database, Session, metadata
from escrow.ground.identifiers import MemberId, OrganisationId
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.ledger.records import EntryRow
from escrow.parties import organisations, tokens
from escrow.parties.permissions import Role
from escrow.parties.records import Member, Organisation
from escrow.testing.databases import trial_databases

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class StandingClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, duration: timedelta) -> datetime:
        self.moment += duration
        return self.moment


@dataclass
class World:
    """What a test of this room needs; every change is made in the one session."""

    session: Session
    scribe: Scribe
    clock: StandingClock

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def organisation(self, slug: str = "acme") -> Organisation:
        return organisations.create_organisation(
            self.session, self.scribe, slug=slug, name=slug.title(), actor="setup", now=self.now
        )

    def member(
        self, organisation: Organisation, *roles: Role, email: str = "a@b.example"
    ) -> Member:
        return organisations.add_member(
            self.session,
            self.scribe,
            organisation_id=OrganisationId(organisation.id),
            name="Ada",
            email=email,
            roles=roles or (Role.VENDOR,),
            actor="setup",
            now=self.now,
        )

    def grant(self, member: Member, **changes: object) -> tokens.Grant:
        values: dict[str, object] = {
            "organisation_id": OrganisationId(member.organisation_id),
            "role": Role(member.roles[0]),
            "member_id": MemberId(member.id),
        }
        return tokens.Grant(**(values | changes))  # type: ignore[arg-type]

    def issue(self, member: Member, *, one_time: bool = False, **changes: object) -> str:
        _, text = tokens.issue(
            self.session,
            self.scribe,
            "production",
            self.grant(member, **changes),
            actor="setup",
            now=self.now,
            one_time=one_time,
        )
        return text

    def events(self) -> list[str]:
        return [row.type for row in self._rows()]

    def entries(self) -> list[bytes]:
        return [row.entry for row in self._rows()]

    def _rows(self) -> list[EntryRow]:
        return sorted(self.session.exec(select(EntryRow)), key=lambda row: row.number)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(trial_databases().url(tmp_path))
    metadata.create_all(database.writer)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    clock = StandingClock()
    with database.writing() as session:
        yield World(session, Scribe("portal", SigningKey.generate(), clock), clock)
