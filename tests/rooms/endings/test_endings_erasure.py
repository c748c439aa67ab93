"""A person who left is erased: value and salt go, the ledger holds, a hold outranks it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from escrow.endings.errors import ValueRewritten
from escrow.endings.redaction import check_committed_values
from escrow.ground.identifiers import AgreementId
from escrow.ledger.fsck import check_ledger
from escrow.notices import outbox, records
from escrow.notices.notices import Kind, NoticeToSend, Reader
from escrow.operations.tables import metadata

NAME, ADDRESS = "Quirin Unmistakable", "quirin@agent-1-chambers.example"


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def member(world) -> str:
    body = {"name": NAME, "email": ADDRESS, "role": "agent"}
    slug = world.cast.agreement.agents[0].organisation
    made = world.do("POST", f"/organisations/{slug}/members", "operator", json=body)["id"]
    told(world)
    return str(made)


def told(world) -> None:
    """Post a notice to the person's address, and let it be sent."""
    notice = NoticeToSend(
        key="trial-of-erasure",
        kind=Kind.CEREMONY_NEEDED,
        reader=Reader.AGENT,
        to=ADDRESS,
        agreement_id=AgreementId(world.agreement),
    )
    with world.database.writing() as session:
        now = world.clock.now()
        posted = outbox.post(session, world.rooms.scribe, notice, actor="mem_1", now=now)
        row = records.by_id(session, posted)
        assert row is not None
        row.sent_at, row.next_attempt_at = now, None
        records.keep(session, row)


def erase(world, member: str):
    return world.ask("POST", f"/members/{member}/erasure", "operator")


def stored(world) -> str:
    """Return every value of every row, as text."""
    found = []
    with world.database.reading() as session:
        for table in metadata.sorted_tables:
            for row in session.execute(sa.select(table)):
                found += [str(value) for value in row]
    return "\n".join(found)


def test_name_and_address_are_in_no_row_and_the_ledger_holds(world, member) -> None:
    assert NAME in stored(world)
    before = committed(world)
    assert erase(world, member).json() == {"erased": member, "notices": 1}
    everything = stored(world)
    assert NAME not in everything
    assert ADDRESS not in everything
    world.keyholder.sequence()
    with world.database.reading() as session:
        check_ledger(session, world.ledger.keys)
    after = committed(world)
    assert (after.open, after.redacted) == (before.open - 1, before.redacted + 1)


def committed(world):
    with world.database.reading() as session:
        return check_committed_values(session)


def test_a_second_time_changes_nothing(world, member) -> None:
    erase(world, member)
    assert erase(world, member).json() == {"erased": member, "notices": 0}


def test_a_hold_outranks_erasure(world, endings, member) -> None:
    with world.database.writing() as session:
        session.execute(
            sa.text(
                "INSERT INTO agreement_party (agreement_id, version, role, organisation_id, "
                "member_id) SELECT agreement_id, version, role, organisation_id, :member FROM "
                "agreement_party WHERE role = 'agent' LIMIT 1"
            ),
            {"member": member},
        )
    hold = endings.hold()
    answer = erase(world, member)
    assert (answer.status_code, answer.json()["code"]) == (409, "endings.held")
    assert NAME in stored(world)
    endings.lift(hold)
    assert erase(world, member).is_success


@pytest.mark.parametrize("change", ["address = 'eve@example.org'", "salt = ''", "salt = 'ab'"])
def test_a_value_that_somebody_else_changed_is_no_redaction(world, member, change) -> None:
    with world.database.writing() as session:
        session.execute(sa.text(f"UPDATE notice SET {change} WHERE key = 'trial-of-erasure'"))
    with pytest.raises(ValueRewritten):
        committed(world)
