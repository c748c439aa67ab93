"""Recipients are proven again each year, or everybody hears that a release would be unreadable."""

from __future__ import annotations

import pytest

from escrow.notices import records as notices
from escrow.register import errors, proofs, records
from escrow.register.subjects import recipient_proof_subject


@pytest.fixture
def in_force(world):
    view = world.file()
    world.accept_by_all(view)
    world.prove(view.agreement_id, "primary")
    world.prove(view.agreement_id, "recovery")
    world.hold_ceremony(view.agreement_id)
    assert world.open_canary(view.agreement_id, "agent_1", "agent_2").standing == "in-force"
    return view.agreement_id


DAY = 86_400


def keep(world) -> None:
    proofs.keep_proofs_current(world.session, world.scribe, world.clock.now())


def told(world) -> set[tuple[str, str]]:
    rows = notices.page(world.session, only_failed=False, before=None, limit=50)
    return {(row.kind, row.reader) for row in rows}


def alarms(world, agreement) -> list[str]:
    return proofs.alarms_of(world.session, agreement, world.clock.now())


def test_a_month_before_the_year_is_over_a_fresh_canary_is_sealed(world, in_force) -> None:
    world.clock.move(334 * DAY)
    keep(world)
    assert len(records.canaries_of(world.session, in_force)) == 2
    world.clock.move(2 * DAY)
    keep(world)
    keep(world)
    assert len(records.canaries_of(world.session, in_force)) == 4
    assert told(world) == {("recipient-proof-due", "beneficiary")}
    assert alarms(world, in_force) == []


def test_a_proof_that_is_a_year_old_is_told_to_everybody(world, in_force) -> None:
    world.clock.move(336 * DAY)
    keep(world)
    world.prove(in_force, "primary")
    world.clock.move(30 * DAY)
    keep(world)
    keep(world)
    (alarm,) = alarms(world, in_force)
    assert "recovery" in alarm
    assert proofs.UNREADABLE in alarm
    assert {reader for kind, reader in told(world) if kind == "recipient-unproven"} == {
        "vendor",
        "beneficiary",
        "agent",
    }
    world.prove(in_force, "recovery")
    assert alarms(world, in_force) == []


def test_what_an_earlier_canary_held_proves_nothing_again(world, in_force) -> None:
    earlier = world.open_recipient_canary(in_force, "primary")
    world.clock.move(340 * DAY)
    keep(world)
    recipient = str(world.cast.identity("beneficiary_primary").recipient)
    subject = recipient_proof_subject(in_force, recipient, earlier)
    envelope = world.sign(world.cast.signing_key("beneficiary"), "prove-recipient", subject)
    with pytest.raises(errors.CanarySecretWrong):
        world.take(in_force, envelope)
