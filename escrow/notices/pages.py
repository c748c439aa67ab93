"""The page of ``docs/`` that is written from this room's tables, so that it cannot be stale."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from escrow.ground.identifiers import AgreementId
from escrow.notices.delivery import FIRST_PAUSE, GIVE_UP_AFTER, LEASE, LONGEST_PAUSE
from escrow.notices.letters import Letterhead, compose
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.notices.texts import ENGLISH

_EXAMPLE = NoticeToSend(
    key="req_01kbexample:service-stated:vendor",
    kind=Kind.SERVICE_STATED,
    reader=Reader.VENDOR,
    to="ada@acme.example",
    agreement_id=AgreementId("agr_01kbexample"),
    request_id="req_01kbexample",
    last_day=LastDay(date(2026, 2, 11), "GB-ENG"),
)

_LETTERHEAD = Letterhead(
    service="Example Escrow",
    environment="production",
    public_url="https://escrow.example",
    sender="notices@escrow.example",
    reply_to="desk@escrow.example",
)

_WHAT = (
    "A notice tells a party where to look. It holds ids, a day and an address of the service; "
    "never evidence, a statement, a product or a file. **It starts no period and ends none**: "
    "service is proven by the vendor's signed acknowledgement or an agent's signed statement, "
    "never by a mail server's log."
)


def notices_page() -> str:
    """Return what a notice is, how it travels, and every kind with its words."""
    parts = [
        "# Notices",
        _WHAT,
        _travel(),
        "## A letter",
        f"```\n{_example()}\n```",
        "## Kinds",
        *(_kind(kind) for kind in Kind),
    ]
    # The line before a letter's signature ends with a blank; a page has none of those.
    return "\n\n".join(parts).replace("-- \n", "--\n") + "\n"


def _travel() -> str:
    rows = [
        ("posted", "Written in the transaction of what it tells; one key is one notice, for ever."),
        (
            "waiting",
            f"Tried at once; then again after {_span(FIRST_PAUSE)}, twice as late each time, at "
            f"most {_span(LONGEST_PAUSE)}. Without a mail server (`ESCROW_SMTP_HOST`) it waits for "
            "as long as there is none.",
        ),
        ("sent", "A mail server took it. Nobody knows whether it was read."),
        (
            "failed",
            "Refused by the server (5xx), or an address that can stand in no mail, or given up "
            f"{_span(GIVE_UP_AFTER)} after the first attempt. `escrow admin notices --failed` "
            "lists these, `--retry` puts one back.",
        ),
    ]
    table = "\n".join(f"| {name} | {said} |" for name, said in rows)
    return (
        "## How it travels\n\n"
        f"| state | what it means |\n|---|---|\n{table}\n\n"
        "Delivery is at least once. A sender that dies between the server's answer and its own "
        f"note of it sends again after {_span(LEASE)}: the same bytes under the same Message-ID. "
        "The ledger has `notices:notice:posted`, `:sent`, `:failed` and `:retried` in the "
        "agreement's stream, with a salted commitment to the address."
    )


def _span(duration: timedelta) -> str:
    for name, unit in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if duration >= unit:
            return _counted(duration // unit, name)
    return _counted(duration // timedelta(minutes=1), "minute")


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _example() -> str:
    posted = datetime(2026, 1, 28, 9, 30, tzinfo=UTC)
    message_id = _LETTERHEAD.message_id(_EXAMPLE.key)
    letter = compose(_EXAMPLE, _EXAMPLE.to, posted, message_id, _LETTERHEAD)
    return letter.content.decode("ascii").replace("\r\n", "\n").strip()


def _kind(kind: Kind) -> str:
    wording = ENGLISH.wordings[kind]
    rows = "\n".join(f"| {reader} | {wording.to_do[reader]} |" for reader in Reader)
    return (
        f"### `{kind}`\n\n**{wording.subject}.** {wording.happened}\n\n"
        f"| reader | what he has to do |\n|---|---|\n{rows}"
    )
