"""The fast canonical form is RFC 8785, for whatever an event may hold."""

from hypothesis import given
from hypothesis import strategies as st

from escrow.ground.digests import canonical_json
from escrow.ledger.entries import parse_entry, sign_entry
from escrow.ledger.errors import EventMalformed
from escrow.ledger.events import MAX_INTEGER, Event, NewEvent, canonical_ascii
from escrow.testing.ledgers import STREAM, SetClock, named_key

words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, values, max_size=5))
def test_both_encoders_agree(data: dict[str, object]) -> None:
    assert canonical_ascii(data) == canonical_json(data)


@given(st.dictionaries(words, values, max_size=5))
def test_what_may_be_written_reads_back(data: dict[str, object]) -> None:
    try:
        new = NewEvent(STREAM, "a:b:c", "tok_1", data)
    except EventMalformed:
        return
    at = SetClock().now()
    event = Event(STREAM, 3, "ab" * 32, new.type, "portal", new.actor, at, "cd" * 32, new.data)
    signed = parse_entry(sign_entry(event, named_key("portal")))
    assert signed.event == event
