"""A real mail server, and an outbox beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escrow.ground.mail_settings import MailSettings
from tests.integration.notices.mail_host import MailHost
from tests.rooms.notices.conftest import OutboxWorld


@pytest.fixture
def host() -> Iterator[MailHost]:
    made = MailHost()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def settings(host: MailHost) -> Callable[..., MailSettings]:
    """Make the settings of the host; STARTTLS under the trial's CA unless changed."""

    def make(**changes: object) -> MailSettings:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": host.port,
            "tls": "starttls",
            "username": None,
            "password_file": None,
            "ca_file": host.ca.file,
            "sender": "notices@escrow.example",
            "reply_to": "notices@escrow.example",
        }
        mail = MailSettings(**(values | changes))  # type: ignore[arg-type]
        mail.check()
        return mail

    return make


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OutboxWorld]:
    made = OutboxWorld(tmp_path)
    yield made
    made.ledger.close()
