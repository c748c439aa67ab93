"""Getting a release sealed to another key: by changing the beneficiary's recipient."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.comparing import compare_states
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.comparers import COMPARERS
from escrow.register import changes
from escrow.register.errors import ChangeBroken
from escrow.releases.errors import RecipientChanged, RecipientNotPinned
from escrow.releases.reading import events_of
from escrow.vault import age

ON_SQLITE_ALONE = True


@pytest.fixture
def world(release_world):
    return release_world


def code_of(answer) -> str:
    assert answer.is_error, answer.text
    return answer.json()["code"]


def new_key(world) -> str:
    return str(world.cast.identity("somebody").recipient)


def send(world, act, subject, signer="beneficiary", who="beneficiary"):
    envelope = world.signed(signer, act, subject)
    return world.ask("POST", f"/agreements/{world.agreement}/acts", who, json=envelope)


def propose(world, signer="beneficiary", who="beneficiary"):
    text = world.cast.agreement.text_sha256
    subject = changes.change_subject(world.agreement, text, "primary", new_key(world))
    return send(world, "change-recipient", subject, signer, who)


def shown(world, who="beneficiary") -> dict:
    return world.do("GET", f"/agreements/{world.agreement}/recipients", who)


def proof_of(world) -> dict[str, object]:
    found = world.do("GET", f"/agreements/{world.agreement}/recipient-canaries", "beneficiary")
    (canary,) = [one for one in found["canaries"] if one["recipient"] == new_key(world)]
    opener = world.cast.identity("somebody")
    secret = age.decrypt_bytes(base64.b64decode(canary["file"]), [opener])
    change = shown(world)["changes"][-1]["id"]
    return changes.change_proof_subject(world.agreement, change, new_key(world), secret)


def prove(world):
    return send(world, "prove-changed-recipient", proof_of(world))


def withdraw(world, who="beneficiary"):
    subject = changes.change_withdrawal_subject(world.agreement, shown(world)["changes"][-1]["id"])
    return send(world, "withdraw-recipient-change", subject, signer=who, who=who)


def changed(world) -> None:
    assert propose(world).is_success
    assert prove(world).is_success


def approved(world, **more: object) -> str:
    request = world.request(**more)
    world.act_on(request, "vendor", "consent-to-release")
    return request


def write(world, kind: str, data: dict[str, object]) -> None:
    """Write an event as a portal that was taken over does."""
    event = NewEvent(Stream("agreement", world.agreement), kind, "portal", data)
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)
    world.keyholder.sequence()


def open_round(world, request: str) -> None:
    """Ask the keyholder directly, as a portal that was taken over can."""
    world.keyholder.open_confirmation(RequestId(request))


@pytest.mark.parametrize("signer", ["vendor", "agent_1"])
def test_another_party_changes_it(world, signer) -> None:
    assert code_of(propose(world, signer, signer)) == "register.signer-in-other-role"
    assert code_of(propose(world, signer, "beneficiary")) == "register.signer-in-other-role"
    assert shown(world)["changes"] == []


def test_a_stolen_token_changes_it(world) -> None:
    # His token sends it, and a key of the thief's own has signed it.
    assert code_of(propose(world, "thief")) == "register.signer-not-pinned"
    assert shown(world)["changes"] == []


def test_the_new_one_is_named_before_the_cooling_off_is_over(world) -> None:
    changed(world)
    request = world.request_subject(recipient=new_key(world))
    assert code_of(world.try_filing(request)) == "releases.recipient-not-pinned"
    world.clock.moment += timedelta(days=30)
    assert shown(world, "vendor")["changes"][0]["standing"] == "cooling-off"
    assert code_of(world.try_filing(request)) == "releases.recipient-not-pinned"
    # The old one stands meanwhile.
    assert world.try_filing(world.request_subject()).is_success


def test_a_portal_files_to_the_new_one_before_the_cooling_off_is_over(world, monkeypatch) -> None:
    changed(world)
    monkeypatch.setattr("escrow.releases.acting._check_recipient", lambda *_: None)
    request = world.request(recipient=new_key(world))
    # The keyholder is asked as soon as the vendor consents, and says no; later too.
    answer = world.try_act(request, "vendor", "consent-to-release")
    assert code_of(answer) == "releases.recipient-not-pinned"
    world.clock.moment += timedelta(days=40)
    with pytest.raises(RecipientNotPinned):
        open_round(world, request)


def test_after_the_cooling_off_the_new_one_alone_gets_a_release(world) -> None:
    changed(world)
    world.clock.moment += timedelta(days=32)
    assert code_of(world.try_filing(world.request_subject())) == "releases.recipient-not-pinned"
    request = approved(world, recipient=new_key(world))
    for agent in ("agent_1", "agent_2"):
        done = world.confirm(request, agent)
    assert done["state"] == "released"
    package = world.do("GET", f"/requests/{request}/release", "beneficiary")
    content = world.fetch(request, package["deposits"][0]["files"][0]["id"]).content
    assert age.decrypt_bytes(content, [world.cast.identity("somebody")])


def test_a_change_during_a_request_voids_it(world) -> None:
    request = approved(world)
    world.confirm(request, "agent_1")
    assert propose(world).is_success
    with pytest.raises(RecipientChanged):
        world.keyholder.execute_release(RequestId(request))
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "void"


def test_a_change_that_begins_to_count_during_a_request_voids_it(world) -> None:
    changed(world)
    request = world.request()
    world.clock.moment += timedelta(days=32)
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "void"


def test_a_change_by_a_stolen_key_is_taken_back(world) -> None:
    changed(world)
    assert code_of(withdraw(world, "vendor")) == "register.signer-in-other-role"
    assert withdraw(world).is_success
    world.clock.moment += timedelta(days=40)
    request = world.request_subject(recipient=new_key(world))
    assert code_of(world.try_filing(request)) == "releases.recipient-not-pinned"
    assert code_of(withdraw(world)) == "register.recipient-change-unknown"


def test_a_change_that_was_taken_back_is_written_down_again(world) -> None:
    changed(world)
    with world.database.reading() as session:
        kept = events_of(session, AgreementId(world.agreement))
    again = [one.event for one in kept if one.event.type in changes.ACT_OF]
    assert withdraw(world).is_success
    for event in again:
        write(world, event.type, dict(event.data))
    world.clock.moment += timedelta(days=40)
    assert [one["standing"] for one in shown(world)["changes"]] == ["withdrawn"]
    assert world.try_filing(world.request_subject()).is_success


def test_a_portal_writes_a_change_that_a_vendor_signed(world) -> None:
    request = approved(world)
    text = world.cast.agreement.text_sha256
    subject = changes.change_subject(world.agreement, text, "primary", new_key(world))
    act = world.signed("vendor", "change-recipient", subject)
    write(world, changes.PROPOSED, {"text_sha256": text, "act": act})
    with pytest.raises(ChangeBroken):
        open_round(world, request)


def test_a_portal_dates_the_proof_back(world) -> None:
    assert propose(world).is_success
    world.clock.moment += timedelta(days=40)
    subject = proof_of(world)
    act = world.signed("beneficiary", "prove-changed-recipient", subject)
    text = world.cast.agreement.text_sha256
    now, world.clock.moment = world.clock.moment, world.clock.moment - timedelta(days=40)
    write(world, changes.PROVEN, {"text_sha256": text, "act": act})
    world.clock.moment = now
    with world.database.reading() as session:
        events = [one.event for one in events_of(session, AgreementId(world.agreement))]
    (change,) = changes.fold_changes(events, world.cast.agreement)
    assert change.proven_at == act_time(now)
    assert change.standing(now) == "cooling-off"


def act_time(moment):
    return moment.replace(microsecond=0)


def test_the_same_key_or_a_second_change_is_refused(world) -> None:
    assert propose(world).is_success
    assert code_of(propose(world)) == "register.recipient-change-waits"
    text = world.cast.agreement.text_sha256
    for whose in ("agent_1", "beneficiary_primary", "somebody"):
        taken = str(world.cast.identity(whose).recipient)
        subject = changes.change_subject(world.agreement, text, "recovery", taken)
        answer = send(world, "change-recipient", subject)
        assert code_of(answer) == "register.recipient-in-use", whose


def test_everybody_is_told_of_each_step(world) -> None:
    from escrow.notices import records as notices

    changed(world)
    assert withdraw(world).is_success
    with world.database.reading() as session:
        rows = notices.page(session, only_failed=False, before=None, limit=100)
        told = {(row.kind, row.reader) for row in rows if "recipient-change" in row.kind}
    kinds = ("proposed", "proven", "withdrawn")
    readers = ("vendor", "beneficiary", "agent")
    assert told == {(f"recipient-change-{kind}", reader) for kind in kinds for reader in readers}


def test_the_ledgers_check_compares_the_canary_with_its_event(world) -> None:
    changed(world)
    with world.database.reading() as session:
        assert list(compare_states(session, COMPARERS)) == []
