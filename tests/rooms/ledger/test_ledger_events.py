"""What may be written down, and what must never be."""

import pytest

from escrow.ledger.errors import EventMalformed
from escrow.ledger.events import MAX_DATA_BYTES, NewEvent, Stream

STREAM = Stream("product", "prd_1")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"deposit": "dep_01kb2", "sha256": "ab" * 32, "count": 3, "ok": True, "none": None},
        {"parts": [{"id": "prt_1", "commitment": "00" * 32}], "at": "2026-01-31T08:15:00.000Z"},
        {"key": "ed25519:AAAA+/==", "recipient": "age1pq1xyz", "type": "a/b+c;d=1"},
    ],
)
def test_ids_digests_and_numbers_are_taken(data: dict[str, object]) -> None:
    assert NewEvent(STREAM, "deposits:deposit:sealed", "tok_1", data).data == data


@pytest.mark.parametrize(
    "value",
    [
        "a sentence",
        "jane@example.org",
        "naïve",
        'quote"',
        "back\\slash",
        "line\nbreak",
        1.5,
        2**53,
        b"bytes",
        {"a key": 1},
        {1: "number as key"},
        [["x", {"deep": "Jane Doe"}]],
    ],
)
def test_text_of_people_is_refused(value: object) -> None:
    with pytest.raises(EventMalformed):
        NewEvent(STREAM, "deposits:deposit:sealed", "tok_1", {"value": value})


@pytest.mark.parametrize(
    "name", ["", "deposit", "a:b", "a:b:c:d", "A:b:c", "a:b:", "a: b:c", "a:b_c:d", "a:-b:c"]
)
def test_types_follow_the_grammar(name: str) -> None:
    with pytest.raises(EventMalformed, match="not the type"):
        NewEvent(STREAM, name, "tok_1")


@pytest.mark.parametrize(("kind", "name"), [("vendor", "x"), ("product", ""), ("product", "a b")])
def test_streams_follow_the_grammar(kind: str, name: str) -> None:
    with pytest.raises(EventMalformed, match="no stream"):
        Stream(kind, name)  # type: ignore[arg-type]


def test_an_actor_is_an_id() -> None:
    with pytest.raises(EventMalformed, match="actor"):
        NewEvent(STREAM, "a:b:c", "Jane Doe")


def test_long_data_is_refused() -> None:
    with pytest.raises(EventMalformed, match="longer than"):
        NewEvent(STREAM, "a:b:c", "tok_1", {"x": "a" * MAX_DATA_BYTES})


def test_deep_data_is_refused() -> None:
    value: object = 1
    for _ in range(50):
        value = [value]
    with pytest.raises(EventMalformed):
        NewEvent(STREAM, "a:b:c", "tok_1", {"x": value})
