"""Who is told of what on a request; a notice is posted with the step or not at all."""

from __future__ import annotations

from collections import Counter

from agreements.requests import NOTIFIED, Step
from escrow.notices import outbox
from escrow.releases.notifying import KIND_OF


def posted(world) -> Counter:
    with world.database.reading() as session:
        rows = outbox.list_notices(session)
    return Counter((row.kind, row.reader) for row in rows)


def test_every_step_that_somebody_is_told_of_has_a_kind() -> None:
    assert {step for step in Step if NOTIFIED[step]} == set(KIND_OF)


def test_a_filing_is_told_to_every_contact_and_agent(world) -> None:
    world.request()
    told = posted(world)
    assert told["release-request-filed", "vendor"] == 2
    assert told["release-request-filed", "beneficiary"] == 2
    assert told["release-request-filed", "agent"] == 3


def test_service_names_the_last_day(world) -> None:
    world.serve(world.request(), "2026-01-02")
    with world.database.reading() as session:
        rows = [one for one in outbox.list_notices(session) if one.kind == "service-stated"]
    assert {(row.last_day.isoformat(), row.calendar) for row in rows} == {("2026-01-16", "GB-ENG")}


def test_a_refused_act_tells_nobody(world) -> None:
    request = world.request()
    before = posted(world)
    assert world.try_act(request, "beneficiary", "consent-to-release").is_error
    assert posted(world) == before


def test_the_keyholders_steps_are_told_once(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    for agent in ("agent_1", "agent_2"):
        world.confirm(request, agent)
    world.rooms.driver.push_on(request)
    told = posted(world)
    assert told["confirmation-open", "agent"] == 3
    assert told["release-executed", "beneficiary"] == 2
