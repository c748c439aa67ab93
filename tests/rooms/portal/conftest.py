"""Two installations for all tests of the portal: one that stands still, one to work in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from escrow.ground.identifiers import AgreementId
from escrow.notices import outbox
from escrow.notices.notices import Kind, NoticeToSend, Reader
from escrow.parties.permissions import Role
from escrow.testing.endings import Endings
from escrow.testing.portal import PortalWorld
from escrow.testing.releases import ReleaseWorld


class SettledWorld(ReleaseWorld):
    """A portal whose parties are done: what they have made is at hand by name."""

    deposit_id = ""
    request_id = ""
    notice_id = ""
    session_id = ""
    ending_id = ""

    def settle(self) -> str:
        """Do everything that comes before the day-to-day."""
        self.set_up()
        self.agreement = self.bring_into_force()
        self.deposit_id = self.deposit()
        self.verify(self.deposit_id)
        self.notice_id = post_notice(self, self.agreement, "nobody")
        drill = {"purpose": "drill", "agreements": [self.agreement]}
        self.session_id = self.do("POST", "/custody/sessions", "agent_1", json=drill)["id"]
        self.issue("auditor", "auditors", Role.AUDITOR, agreements=[self.agreement])
        self.issue("other vendor", "strangers", Role.VENDOR)
        self.issue("other beneficiary", "strangers", Role.BENEFICIARY)
        self.join("other agent", "strangers", "zoe@strangers.example", Role.AGENT)
        self.request_id = self.request()
        self.ending_id = Endings(self).hold()
        self.issue("other auditor", "strangers", Role.AUDITOR, agreements=["agr_of_others"])
        return self.deposit_id


def post_notice(world: PortalWorld, agreement: str, address: str) -> str:
    """Put a notice to an address into the outbox, as a room does; return its id."""
    notice = NoticeToSend(
        key=f"trial-{uuid.uuid4()}",
        kind=Kind.CEREMONY_NEEDED,
        reader=Reader.AGENT,
        to=address,
        agreement_id=AgreementId(agreement),
    )
    with world.database.writing() as session:
        scribe, now = world.rooms.scribe, world.clock.now()
        return outbox.post(session, scribe, notice, actor="mem_1", now=now)


@pytest.fixture(scope="session")
def world(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SettledWorld]:
    """An installation with an agreement in force and one verified deposit, the only one."""
    made = SettledWorld(tmp_path_factory.mktemp("portal"))
    try:
        made.settle()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def busy(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalWorld]:
    """An installation with an agreement in force, where tests deposit and register at will."""
    made = PortalWorld(tmp_path_factory.mktemp("busy"))
    try:
        made.set_up()
        made.bring_into_force()
        yield made
    finally:
        made.close()


@pytest.fixture
def key() -> str:
    """A key of its own for each test's calls."""
    return str(uuid.uuid4())
