"""Letters: complete for every kind and reader, and nothing in them but references."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from escrow.ground.identifiers import AgreementId
from escrow.notices.errors import BadNotice
from escrow.notices.letters import COLUMNS, Letterhead, compose, text_of
from escrow.notices.notices import RULES, Kind, LastDay, NoticeToSend, Reader
from escrow.notices.texts import ENGLISH, LANGUAGES, language_of
from escrow.testing.mail import parsed
from tests.rooms.notices.conftest import AGREEMENT, LETTERHEAD, REQUEST, STATED

POSTED = datetime(2026, 1, 28, 9, 30, tzinfo=UTC)

EVERY = [(kind, reader) for kind in Kind for reader in Reader]


def notice_of_kind(kind: Kind, reader: Reader) -> NoticeToSend:
    rule = RULES[kind]
    return NoticeToSend(
        key=f"{kind}:{reader}",
        kind=kind,
        reader=reader,
        to="ada@acme.example",
        agreement_id=AGREEMENT,
        request_id=REQUEST if rule.names_request else None,
        last_day=STATED.last_day if rule.names_day else None,
    )


def written(notice: NoticeToSend, letterhead: Letterhead = LETTERHEAD) -> bytes:
    message_id = letterhead.message_id(notice.key)
    return compose(notice, "ada@acme.example", POSTED, message_id, letterhead).content


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(Kind)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_words_for_every_kind_and_reader(code: str) -> None:
    wordings = LANGUAGES[code].wordings
    assert set(wordings) == set(Kind)
    assert all(set(one.to_do) == set(Reader) for one in wordings.values())
    assert set(LANGUAGES[code].labels) == set(ENGLISH.labels)


@pytest.mark.parametrize(("kind", "reader"), EVERY)
def test_a_letter_is_plain_text_of_72_columns(kind: Kind, reader: Reader) -> None:
    message = parsed(written(notice_of_kind(kind, reader)))
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()
    own = [line for line in message.get_content().splitlines() if "https://" not in line]
    assert max(map(len, own)) <= COLUMNS


@pytest.mark.parametrize(("kind", "reader"), EVERY)
def test_a_letter_names_what_happened_where_and_what_to_do(kind: Kind, reader: Reader) -> None:
    notice = notice_of_kind(kind, reader)
    text = " ".join(text_of(notice, LETTERHEAD).split())
    wording = ENGLISH.wordings[kind]
    assert wording.happened in text
    assert wording.to_do[reader] in text
    assert f"https://escrow.example.org/api/v1/agreements/{AGREEMENT}" in text
    assert (REQUEST in text) is RULES[kind].names_request
    assert ("2026-02-11 (business days of calendar GB-ENG)" in text) is RULES[kind].names_day


def test_headers_name_sender_reader_and_what_it_is() -> None:
    message = parsed(written(STATED))
    assert message["From"] == "Trial Escrow <notices@escrow.example.org>"
    assert message["Reply-To"] == "desk@escrow.example.org"
    assert message["To"] == "ada@acme.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Wed, 28 Jan 2026 09:30:00 +0000"
    assert message["Subject"] == (
        f"Trial Escrow: Service of the release request stated ({AGREEMENT})"
    )


@pytest.mark.parametrize(("kind", "reader"), EVERY)
def test_every_header_is_one_line(kind: Kind, reader: Reader) -> None:
    head = written(notice_of_kind(kind, reader)).partition(b"\r\n\r\n")[0]
    lines = head.decode("ascii").split("\r\n")
    assert [line.partition(": ")[0] for line in lines] == list(
        parsed(written(notice_of_kind(kind, reader))).keys()
    )


def test_the_same_notice_is_the_same_bytes() -> None:
    assert written(STATED) == written(replace(STATED))


def test_another_key_is_another_message() -> None:
    other = replace(STATED, key="another")
    assert parsed(written(STATED))["Message-ID"] != parsed(written(other))["Message-ID"]


def test_production_is_not_stamped() -> None:
    assert b"TRIAL" not in written(STATED)


@pytest.mark.parametrize("environment", ["demo", "development"])
def test_what_is_no_production_says_so_first(environment: str) -> None:
    letter = parsed(written(STATED, replace(LETTERHEAD, environment=environment)))
    assert letter["Subject"].startswith(f"[{environment}] ")
    assert letter.get_content().startswith(f"TRIAL. This service runs as '{environment}'")


def test_a_longer_path_of_the_caller_is_where_to_look() -> None:
    path = f"/api/v1/requests/{REQUEST}"
    assert f"https://escrow.example.org{path}" in text_of(replace(STATED, path=path), LETTERHEAD)


def test_calendar_days_name_no_calendar() -> None:
    text = text_of(replace(STATED, last_day=LastDay(date(2026, 3, 1))), LETTERHEAD)
    assert "Last day:  2026-03-01\n" in text


def test_an_address_of_ours_that_is_no_ascii_travels_and_is_read() -> None:
    head = replace(LETTERHEAD, public_url="https://bücher.example")
    content = written(STATED, head)
    assert content.isascii()
    assert "https://bücher.example/api" in parsed(content).get_content()


def test_an_endless_address_of_ours_makes_no_endless_line() -> None:
    content = written(STATED, replace(LETTERHEAD, public_url=f"https://{'a' * 2000}.example"))
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert "a" * 2000 in parsed(content).get_content()


@pytest.mark.parametrize("code", ["de", "de-AT", "xx"])
def test_a_language_without_texts_is_english(code: str) -> None:
    assert language_of(code) is ENGLISH


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "Two words"},
        {"key": "a\nb"},
        {"key": "a" * 201},
        {"agreement_id": AgreementId("agr_1\r\nBcc: eve@example.org")},
        {"agreement_id": AgreementId("the contract with Acme")},
        {"request_id": "req_1\n"},
        {"path": "https://evil.example/"},
        {"path": "//evil.example"},
        {"path": "/a b"},
        {"path": "/a\r\n"},
        {"path": f"/{'a' * 200}"},
        {"language": "en\n"},
        {"request_id": None},
        {"last_day": None},
    ],
    ids=str,
)
def test_what_is_no_reference_stands_in_no_notice(change: dict[str, object]) -> None:
    with pytest.raises(BadNotice):
        replace(STATED, **change)


@pytest.mark.parametrize("calendar", ["", "gb", "GB-ENG\n", "The calendar"])
def test_what_is_no_calendar_stands_in_no_notice(calendar: str) -> None:
    with pytest.raises(BadNotice):
        LastDay(date(2026, 2, 11), calendar)


def test_a_key_set_up_needs_no_request() -> None:
    notice = notice_of_kind(Kind.CEREMONY_NEEDED, Reader.AGENT)
    assert "Request:" not in text_of(notice, LETTERHEAD)


def test_a_date_before_midnight_stays_its_moment() -> None:
    moment = POSTED.replace(tzinfo=UTC) + timedelta(hours=14)
    letter = compose(STATED, "ada@acme.example", moment, "<x@y.example>", LETTERHEAD)
    assert parsed(letter.content)["Date"].datetime == moment
