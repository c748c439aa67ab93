"""What a release does to keys: burnt, dealt anew, everything sealed to the next epoch too."""

from __future__ import annotations

from escrow.ground.identifiers import AgreementId, DepositId
from escrow.vault import records as vault


def release(world) -> str:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for agent in ("agent_1", "agent_2"):
        world.confirm(request, agent)
    return request


def epochs(world) -> list[tuple[int, bool, bool]]:
    with world.database.reading() as session:
        newest = vault.newest_epoch(session, AgreementId(world.agreement))
        rows = [
            vault.epoch_of(session, AgreementId(world.agreement), number)
            for number in range(1, newest.epoch + 1)
        ]
    return [(one.epoch, one.burnt_at is not None, one.canary_opened_at is not None) for one in rows]


def test_the_combined_key_is_burnt_and_a_new_one_dealt(world) -> None:
    release(world)
    assert epochs(world) == [(1, True, True), (2, False, False)]


def test_the_one_time_key_is_destroyed(world) -> None:
    request = release(world)
    with world.database.reading() as session:
        row = vault.newest_round(session, request)
    assert row.sealed_identity is None
    assert not world.keyholder._on.keys.has_key(row.key_id)


def test_old_and_new_deposits_open_to_the_next_epochs_agents(world) -> None:
    release(world)
    between = world.deposit()
    world.open_canary(world.agreement)
    assert epochs(world)[1] == (2, False, True)
    second = release(world)
    package = world.do("GET", f"/requests/{second}/release", "beneficiary")
    assert package["not_opened"] == []
    assert between in {one["deposit_id"] for one in package["deposits"]}
    assert all(one["files"] for one in package["deposits"])


def test_a_verification_still_opens_after_its_headers_were_sealed_anew(world) -> None:
    waiting = world.deposit()
    release(world)
    assert world.keyholder.open_for_verification(DepositId(waiting))


def test_the_ledger_holds_after_a_release(world) -> None:
    release(world)
    assert world.ledger.check().entries > 0
