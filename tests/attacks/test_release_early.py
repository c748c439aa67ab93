"""Getting a release early, alone, or twice: by what people send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from escrow.evidence.checking import check_document
from escrow.evidence.snapshots import VOUCH_ACT, Agents, vouch_subject
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import RequestId
from escrow.ground.signatures import PublicKey
from escrow.releases.errors import NotApproved, ObjectionStands, TooFewConfirmations

LAST_DAY_ENDS = datetime(2026, 1, 17, 12, tzinfo=UTC)


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def approved(world) -> str:
    """A request to which the vendor has consented."""
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    return request


def code_of(answer) -> str:
    assert answer.is_error, answer.text
    return answer.json()["code"]


def released(world, request) -> bool:
    answer = world.ask("GET", f"/requests/{request}/release", "beneficiary")
    return answer.is_success


def execute(world, request) -> None:
    """Ask the keyholder directly, as a portal that was taken over can."""
    world.keyholder.execute_release(RequestId(request))


@pytest.mark.parametrize("signer", ["beneficiary", "vendor"])
def test_a_party_confirms(world, approved, signer) -> None:
    answer = world.try_confirming(approved, "agent_1", signer=signer)
    assert code_of(answer) == "releases.wrong-doer"


def test_one_agent_confirms_twice(world, approved) -> None:
    world.confirm(approved, "agent_1")
    assert code_of(world.try_confirming(approved, "agent_1")) == "releases.confirmed-already"
    with pytest.raises(TooFewConfirmations):
        execute(world, approved)


def test_a_confirmation_is_replayed(world, approved) -> None:
    body = world.confirmation_body(approved, "agent_1")
    path = f"/requests/{approved}/confirmations"
    assert world.ask("POST", path, "agent_1", json=body).is_success
    assert code_of(world.ask("POST", path, "agent_2", json=body)) == "releases.confirmed-already"
    assert not released(world, approved)


def test_a_confirmation_is_sent_to_another_request(world, approved) -> None:
    other = world.request()
    world.act_on(other, "vendor", "consent-to-release")
    body = world.confirmation_body(approved, "agent_1")
    answer = world.ask("POST", f"/requests/{other}/confirmations", "agent_1", json=body)
    assert code_of(answer) == "releases.other-than-offered"


@pytest.mark.parametrize("field", ["offer_sha256", "request_act_sha256", "opened_entry_sha256"])
def test_a_confirmation_of_something_else(world, approved, field) -> None:
    answer = world.try_confirming(approved, "agent_1", **{field: "0" * 64})
    assert code_of(answer) == "releases.other-than-offered"


def test_a_confirmation_of_another_recipient(world, approved) -> None:
    own = str(world.cast.identity("agent_1").recipient)
    answer = world.try_confirming(approved, "agent_1", recipient=own)
    assert code_of(answer) == "releases.other-than-offered"


def test_an_expired_confirmation(world, approved) -> None:
    answer = world.try_confirming(approved, "agent_1", expires_at=world.clock.now())
    assert code_of(answer) == "releases.confirmation-outdated"


def test_a_confirmation_that_expired_meanwhile_does_not_count(world, approved) -> None:
    world.confirm(approved, "agent_1")
    world.clock.moment += timedelta(days=8)
    assert world.confirm(approved, "agent_2")["state"] == "confirming"
    assert world.confirm(approved, "agent_3")["state"] == "released"


def test_a_confirmation_before_the_period_ends(world) -> None:
    request = world.request()
    world.serve(request, "2026-01-02")
    answer = world.ask("GET", f"/requests/{request}/confirmation", "agent_1")
    assert code_of(answer) == "releases.step-not-possible"
    with pytest.raises(NotApproved):
        world.keyholder.open_confirmation(RequestId(request))


def test_one_share_less_than_needed(world, approved) -> None:
    assert world.confirm(approved, "agent_2")["state"] == "confirming"
    with pytest.raises(TooFewConfirmations):
        execute(world, approved)
    assert not released(world, approved)


def test_another_agents_share(world, approved) -> None:
    body = world.confirmation_body(approved, "agent_1")
    other = world.confirmation_body(approved, "agent_2")
    body["shares"] = other["shares"]
    answer = world.ask("POST", f"/requests/{approved}/confirmations", "agent_1", json=body)
    assert code_of(answer) == "releases.paper-malformed"


def test_a_share_of_an_earlier_epoch(world, approved) -> None:
    old = world.confirmation_body(approved, "agent_1")["shares"]
    for agent in ("agent_1", "agent_2"):
        world.confirm(approved, agent)
    second = world.request()
    world.act_on(second, "vendor", "consent-to-release")
    body = world.confirmation_body(second, "agent_1")
    body["shares"] = old
    answer = world.ask("POST", f"/requests/{second}/confirmations", "agent_1", json=body)
    assert answer.is_error


def test_a_consent_that_a_token_forges(world) -> None:
    request = world.request()
    shown = world.do("GET", f"/requests/{request}", "vendor")
    subject = {"agreement_id": world.agreement, "request_id": request}
    subject["request_act_sha256"] = shown["request_act_sha256"]
    forged = world.signed("beneficiary", "consent-to-release", subject)
    body = {"envelope": forged, "papers": []}
    answer = world.ask("POST", f"/requests/{request}/acts", "vendor", json=body)
    assert code_of(answer) == "releases.wrong-doer"
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "filed"


def test_contrary_instructions_in_the_last_second(world) -> None:
    request = world.request()
    world.serve(request, "2026-01-02")
    world.clock.moment = LAST_DAY_ENDS
    assert world.instruct_otherwise(request).json()["state"] == "disputed"
    world.clock.moment += timedelta(days=30)
    world.rooms.driver.push_all_on()
    with pytest.raises(ObjectionStands):
        world.keyholder.open_confirmation(RequestId(request))


def test_contrary_instructions_after_the_deadline_are_logged_and_do_not_stop(world) -> None:
    request = world.request()
    world.serve(request, "2026-01-02")
    world.clock.moment = LAST_DAY_ENDS + timedelta(minutes=1)
    world.rooms.driver.push_all_on()
    shown = world.instruct_otherwise(request).json()
    assert (shown["state"], len(shown["objections"])) == ("confirming", 1)
    world.confirm(request, "agent_1")
    assert world.confirm(request, "agent_2")["state"] == "released"


def test_contrary_instructions_between_two_confirmations(world, approved) -> None:
    world.confirm(approved, "agent_1")
    world.instruct_otherwise(approved)
    with pytest.raises(ObjectionStands):
        execute(world, approved)
    world.act_on(approved, "vendor", "consent-to-release")
    # A new round: what was confirmed before the objection counts no more.
    assert world.confirm(approved, "agent_2")["state"] == "confirming"
    assert world.confirm(approved, "agent_3")["state"] == "released"


def test_the_recipient_is_changed_during_a_request(world, approved) -> None:
    world.confirm(approved, "agent_1")
    changed = world.cast.text.replace(
        str(world.cast.identity("beneficiary_primary").recipient),
        str(world.cast.identity("somebody").recipient),
    )
    amended = world.ask(
        "POST", f"/agreements?amends={world.agreement}", "vendor", content=changed
    ).json()
    subject = {"agreement_id": world.agreement, "version": amended["version"]}
    subject["text_sha256"] = amended["text_sha256"]
    for who in ("vendor", "beneficiary", "agent_1", "agent_2", "agent_3"):
        world.act(world.agreement, who, "accept-agreement", subject)
    world.prove_recipients(world.agreement, ("somebody", "beneficiary_recovery"))
    assert world.do("GET", f"/agreements/{world.agreement}", "vendor")["in_force_version"] == 2
    with pytest.raises(EscrowError) as refusal:
        execute(world, approved)
    assert refusal.value.code == "releases.agreement-changed"
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{approved}", "vendor")["state"] == "void"


def test_a_certificate_without_the_keys_that_agents_vouch_for(world, approved) -> None:
    for agent in ("agent_1", "agent_2"):
        world.confirm(approved, agent)
        body = world.signed(agent, VOUCH_ACT, vouch_subject(world.agreement, _root(world).sha256()))
        world.do("POST", f"/agreements/{world.agreement}/acts", agent, json=body)
    keys = tuple(PublicKey.parse(one.signing_key) for one in world.cast.agreement.agents)
    package = world.do("GET", f"/requests/{approved}/release", "beneficiary")
    alone = world.do("GET", f"/requests/{approved}/certificate", "beneficiary")
    for document in (package["certificate"], alone):
        checked = check_document(json.dumps(document), None, [Agents(keys, 2)])
        assert checked.kind.title == "release certificate"


def _root(world):
    return world.rooms.trust_root


def test_a_second_release_of_the_same_request(world, approved) -> None:
    for agent in ("agent_1", "agent_2"):
        world.confirm(approved, agent)
    before = world.do("GET", f"/requests/{approved}/certificate", "beneficiary")
    execute(world, approved)
    world.rooms.driver.push_all_on()
    after = world.do("GET", f"/requests/{approved}/certificate", "beneficiary")
    assert after["bundle"] == before["bundle"]
    answer = world.ask("GET", f"/requests/{approved}/confirmation", "agent_3")
    assert code_of(answer) == "releases.step-not-possible"


@pytest.mark.parametrize("who", ["vendor", "agent_1", "operator", "strangers", "auditor"])
def test_somebody_else_downloads(world, approved, who) -> None:
    from escrow.parties.permissions import Role

    world.issue("strangers", "strangers", Role.BENEFICIARY)
    world.issue("auditor", "auditors", Role.AUDITOR, agreements=[world.agreement])
    for agent in ("agent_1", "agent_2"):
        world.confirm(approved, agent)
    package = world.do("GET", f"/requests/{approved}/release", "beneficiary")
    file_id = package["deposits"][0]["files"][0]["id"]
    assert world.fetch(approved, file_id).is_success
    assert world.fetch(approved, file_id, who).status_code in (403, 404)
    assert world.ask("GET", f"/requests/{approved}/release", who).status_code in (403, 404)


def test_a_push_after_the_release_changes_nothing(world, approved) -> None:
    world.confirm(approved, "agent_1")
    late = world.deposit()
    assert world.confirm(approved, "agent_2")["state"] == "released"
    package = world.do("GET", f"/requests/{approved}/release", "beneficiary")
    assert late not in {one["deposit_id"] for one in package["deposits"]}


def test_a_damaged_payload_never_looks_whole(world, approved) -> None:
    import httpx

    for agent in ("agent_1", "agent_2"):
        world.confirm(approved, agent)
    package = world.do("GET", f"/requests/{approved}/release", "beneficiary")
    file = package["deposits"][0]["files"][0]
    whole = world.fetch(approved, file["id"]).content
    assert len(whole) == file["age_size_bytes"]
    for blob in (world.ledger.folder / "blobs").rglob("*"):
        if blob.is_file():
            content = bytearray(blob.read_bytes())
            content[-1] ^= 1
            blob.chmod(0o600)
            blob.write_bytes(content)
    with pytest.raises(httpx.RemoteProtocolError):
        world.fetch(approved, file["id"])
