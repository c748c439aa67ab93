"""Writing down, in the transaction of the change itself."""

import pytest

from escrow.ground.digests import Sha256Hex
from escrow.ledger import records
from escrow.ledger.appending import Scribe
from escrow.ledger.entries import parse_entry
from escrow.ledger.errors import StreamBusy
from escrow.ledger.events import NewEvent, Stream
from escrow.ledger.reading import read_newest, read_stream
from escrow.testing.ledgers import STREAM, LedgerWorld

OTHER = Stream("product", "prd_1")


def test_a_stream_is_numbered_and_chained(world: LedgerWorld) -> None:
    first, second = world.append(), world.append()
    assert (first.stream_sequence, second.stream_sequence) == (0, 1)
    assert parse_entry(first.bytes).event.previous is None
    assert parse_entry(second.bytes).event.previous == first.entry_sha256
    assert second.number > first.number


def test_streams_are_numbered_apart(world: LedgerWorld) -> None:
    world.append(3)
    assert world.append(stream=OTHER).stream_sequence == 0


def test_no_change_no_entry(world: LedgerWorld) -> None:
    scribe = Scribe("portal", world.key("portal"), world.clock)
    with pytest.raises(ZeroDivisionError), world.database.writing() as session:
        scribe.append(session, NewEvent(STREAM, "a:b:c", "tok_1"))
        raise ZeroDivisionError
    assert world.append().stream_sequence == 0


def test_equal_events_are_never_equal_bytes(world: LedgerWorld) -> None:
    first = world.append(stream=Stream("product", "prd_1"))
    second = world.append(stream=Stream("product", "prd_2"))
    nonces = {parse_entry(one.bytes).event.nonce for one in (first, second)}
    assert len(nonces) == 2
    assert all(len(nonce) == 64 for nonce in nonces)


def test_time_never_runs_backwards_in_a_stream(world: LedgerWorld) -> None:
    first = world.append()
    world.clock.move(seconds=-3600)
    assert world.append().at == first.at
    assert world.append(stream=OTHER).at < first.at


def test_a_taken_place_is_told(world: LedgerWorld) -> None:
    entry = world.append()
    event = parse_entry(entry.bytes).event
    with pytest.raises(StreamBusy), world.database.writing() as session:
        records.insert_entry(session, event, Sha256Hex("0" * 64), entry.bytes)


def test_a_stream_reads_back_in_pages(world: LedgerWorld) -> None:
    for number in range(5):
        world.append(data={"number": number})
    world.append(stream=OTHER)
    with world.database.reading() as session:
        page = read_stream(session, STREAM, from_sequence=1, limit=2)
        newest = read_newest(session, STREAM, limit=2)
        none = read_newest(session, Stream("product", "prd_none"))
    assert [one.event.data["number"] for one in page] == [1, 2]
    assert [one.event.data["number"] for one in newest] == [4, 3]
    assert none == []
