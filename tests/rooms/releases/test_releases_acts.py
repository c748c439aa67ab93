"""Who may do what to a request, and when: each refusal with its code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from escrow.ground.digests import sha256_hex
from escrow.releases.subjects import Evidence

# Ten business days in England from Friday 2 January 2026 end with Friday 16 January.
SERVED = "2026-01-02"
LAST_DAY_ENDS = datetime(2026, 1, 17, 12, tzinfo=UTC)


def code_of(answer) -> str:
    assert answer.is_error, answer.text
    return answer.json()["code"]


@pytest.mark.parametrize("signer", ["vendor", "agent_1"])
def test_only_a_beneficiary_files(world, signer) -> None:
    assert code_of(world.try_filing(world.request_subject(), signer)) == "releases.wrong-doer"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"condition": "court-order"}, "releases.condition-unknown"),
        ({"recipient": "age1none"}, "releases.recipient-not-pinned"),
        ({"version": 2}, "releases.agreement-changed"),
        ({"text_sha256": "0" * 64}, "releases.agreement-changed"),
        ({"evidence": ()}, "releases.evidence-missing"),
        ({"evidence": (Evidence("photo", sha256_hex(b"x")),)}, "releases.evidence-missing"),
        ({"statement_sha256": "0" * 64}, "releases.paper-malformed"),
        ({"request_id": "req_1"}, "releases.malformed"),
    ],
)
def test_a_request_that_is_none(world, changes, code) -> None:
    assert code_of(world.try_filing(world.request_subject(**changes))) == code
    assert world.do("GET", "/requests", "beneficiary")["items"] == []


def test_a_request_with_a_taken_id(world) -> None:
    subject = world.request_subject()
    assert world.try_filing(subject).is_success
    assert code_of(world.try_filing(subject)) == "releases.request-known"


def test_the_recovery_recipient_is_one_too(world) -> None:
    recovery = str(world.cast.identity("beneficiary_recovery").recipient)
    assert world.try_filing(world.request_subject(recipient=recovery)).is_success


@pytest.mark.parametrize(
    ("who", "act"),
    [
        ("beneficiary", "consent-to-release"),
        ("agent_1", "consent-to-release"),
        ("beneficiary", "acknowledge-service"),
        ("vendor", "withdraw-release-request"),
        ("agent_1", "acknowledge-service"),
    ],
)
def test_an_act_of_somebody_else(world, who, act) -> None:
    assert code_of(world.try_act(world.request(), who, act)) == "releases.wrong-doer"


def test_service_is_stated_by_an_agent_with_its_proof(world) -> None:
    request = world.request()
    shown = world.serve(request, SERVED).json()
    assert shown["state"] == "objection-window"
    assert shown["served"][0]["objection_last_day"] == "2026-01-16"
    assert shown["due"]["at"] == "2026-01-17T12:00:00.000Z"
    kinds = {paper["kind"] for paper in shown["papers"]}
    assert kinds == {"statement", "court-record", "proof"}


@pytest.mark.parametrize("day", ["2026-01-01", "2026-01-03"])
def test_service_before_the_request_or_in_the_future(world, day) -> None:
    assert code_of(world.serve(world.request(), day)) == "releases.service-day-wrong"


def test_deemed_service_counts_after_the_agreed_days(world) -> None:
    shown = world.serve(world.request(), SERVED, method="deemed").json()
    assert shown["served"][0]["served_on"] == "2026-01-09"
    assert shown["served"][0]["objection_last_day"] == "2026-01-23"


def test_a_curable_ground_gives_its_cure_period_first(world) -> None:
    evidence = (Evidence("support-record", world.request_subject().evidence[0].sha256),)
    request = world.request(condition="product-discontinued", evidence=evidence)
    shown = world.act_on(request, "vendor", "acknowledge-service")
    assert (shown["state"], shown["served"][0]["cure_last_day"]) == ("curing", "2026-02-01")
    world.clock.moment = datetime(2026, 2, 2, 12, 0, 1, tzinfo=UTC)
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "objection-window"


def test_silence_approves_after_the_last_day_everywhere_on_earth(world) -> None:
    request = world.request()
    world.serve(request, SERVED)
    for moment, state in (
        (LAST_DAY_ENDS, "objection-window"),
        (LAST_DAY_ENDS + timedelta(seconds=1), "confirming"),
    ):
        world.clock.moment = moment
        assert world.rooms.driver.push_all_on() == []
        assert world.do("GET", f"/requests/{request}", "vendor")["state"] == state


def test_silence_without_proven_service_approves_nothing(world) -> None:
    request = world.request()
    world.clock.moment += timedelta(days=80)
    world.rooms.driver.push_all_on()
    assert world.do("GET", f"/requests/{request}", "vendor")["state"] == "filed"


def test_silence_releases(world) -> None:
    request = world.request()
    world.serve(request, SERVED)
    world.clock.moment = LAST_DAY_ENDS + timedelta(hours=1)
    world.rooms.driver.push_all_on()
    world.confirm(request, "agent_2")
    assert world.confirm(request, "agent_3")["state"] == "released"


def test_contrary_instructions_stop_and_a_later_consent_goes_on(world) -> None:
    request = world.request()
    assert world.instruct_otherwise(request).json()["state"] == "disputed"
    assert world.act_on(request, "vendor", "consent-to-release")["state"] == "confirming"


def test_a_withdrawn_request_ends(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    shown = world.act_on(request, "beneficiary", "withdraw-release-request")
    assert shown["state"] == "withdrawn"
    answer = world.ask("GET", f"/requests/{request}/confirmation", "agent_1")
    assert code_of(answer) == "releases.step-not-possible"


def test_a_consent_can_be_taken_back_until_the_agreed_day(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    assert world.instruct_otherwise(request).json()["state"] == "disputed"


def test_a_consent_is_final_afterwards(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.clock.moment = datetime(2026, 1, 6, 12, 0, 1, tzinfo=UTC)
    assert world.instruct_otherwise(request).json()["state"] == "confirming"


def test_papers_are_the_parties_alone(world) -> None:
    request = world.request()
    sha256 = world.request_subject().statement_sha256
    path = f"/requests/{request}/papers/{sha256}"
    assert world.ask("GET", path, "vendor").content.startswith(b"The vendor was wound up")
    assert world.ask("GET", path, "vendor").headers["content-disposition"].startswith("attachment")
    assert world.ask("GET", path, "operator").status_code == 403
    absent = world.ask("GET", f"/requests/{request}/papers/{'0' * 64}", "vendor")
    assert code_of(absent) == "releases.paper-unknown"
