"""The stored payloads are read again when a request is filed, and when its confirmation opens."""

from __future__ import annotations

from escrow.ground.identifiers import RequestId
from escrow.ledger.appending import Scribe
from escrow.releases.rereading import JOB, REREAD, Rereader


def reader(world) -> Rereader:
    scribe = Scribe("worker", world.ledger.key("worker"), world.clock)
    return Rereader(world.database, world.blobs, scribe, world.clock)


def test_it_is_ordered_once_for_each_occasion(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.rooms.driver.push_on(request)
    ordered = [key for key in world.jobs.keys if key.startswith(JOB)]
    assert ordered == [f"{JOB}-{request}-filing", f"{JOB}-{request}-round-1"]


def test_what_was_found_stands_in_the_history_once(world) -> None:
    request = world.request()
    for _ in range(2):
        reader(world).read(RequestId(request), "filing")
    shown = world.do("GET", f"/requests/{request}", "beneficiary")
    assert shown["payloads_read"] == [{"occasion": "filing", "damaged": 0}]
    with world.database.reading() as session:
        from escrow.releases.reading import events_of

        kinds = [one.event.type for one in events_of(session, world.agreement)]
    assert kinds.count(REREAD) == 1


def test_a_damaged_payload_is_named_and_stops_nothing(world) -> None:
    request = world.request()
    for one in (world.ledger.folder / "blobs").rglob("*"):
        if one.is_file():
            one.chmod(0o600)
            one.write_bytes(b"something else")
    reader(world).read(RequestId(request), "filing")
    shown = world.do("GET", f"/requests/{request}", "vendor")
    assert shown["payloads_read"][0]["damaged"] >= 1
    assert world.act_on(request, "vendor", "consent-to-release")["state"] == "confirming"
