"""Header injection: whatever somebody else wrote, a letter has our headers and one reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from escrow.ground.mailboxes import mailbox_of
from escrow.notices.errors import BadNotice
from escrow.notices.letters import compose
from escrow.testing.mail import parsed
from tests.rooms.notices.conftest import LETTERHEAD, STATED

HEADERS = [
    *("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
]

POSTED = datetime(2026, 1, 28, tzinfo=UTC)

# Mostly what would begin a header, a command or another address.
_TEXT = st.text(st.sampled_from("aB1.@-_ :;,<>\"'\\/\r\n\t\0\x0b\x85\u2028é") | st.characters())
_ADDRESS = _TEXT | st.builds("{}@{}.example".format, _TEXT, _TEXT)


@given(address=_ADDRESS)
def test_an_address_is_one_plain_word_or_none(address: str) -> None:
    mailbox = mailbox_of(address)
    if mailbox is None:
        return
    content = compose(STATED, mailbox, POSTED, "<x@escrow.example.org>", LETTERHEAD).content
    message = parsed(content)
    assert message.keys() == HEADERS
    assert [one.addr_spec for one in message["To"].addresses] == [mailbox]
    assert mailbox.isascii()
    assert not any(character in mailbox for character in ' \r\n\t\0<>,;:"()[]\\')


@given(name=st.sampled_from(["key", "agreement_id", "request_id", "path", "language"]), value=_TEXT)
def test_a_value_is_a_reference_or_refused(name: str, value: str) -> None:
    try:
        notice = replace(STATED, **{name: value})
    except BadNotice:
        return
    message_id = LETTERHEAD.message_id(notice.key)
    message = parsed(compose(notice, "ada@acme.example", POSTED, message_id, LETTERHEAD).content)
    assert message.keys() == HEADERS
    assert value.isascii()
    assert value.isprintable()
