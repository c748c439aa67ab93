"""The running service sends what a room posted, and the operator sees it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stage import Stage
from escrow.ground.clock import SystemClock
from escrow.ground.database import Database
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.operations.mailing import ROUND_SECONDS
from tests.integration.notices.mail_host import PASSWORD, USER, MailHost
from tests.rooms.notices.conftest import STATED

PATIENCE_SECONDS = 60.0


class MailedStage(Stage):
    """A service that was told of a mail server, or was not."""

    host: MailHost | None = None

    @property
    def service_environment(self) -> dict[str, str]:
        environment = super().service_environment
        if self.host is None:
            return environment
        password = self.folder / "smtp-password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        return environment | {
            "ESCROW_SMTP_HOST": "127.0.0.1",
            "ESCROW_SMTP_PORT": str(self.host.port),
            "ESCROW_SMTP_CA_FILE": str(self.host.ca.file),
            "ESCROW_SMTP_USERNAME": USER,
            "ESCROW_SMTP_PASSWORD_FILE": str(password),
            "ESCROW_SMTP_FROM": "notices@escrow.example",
        }

    def operator(self) -> dict[str, str]:
        """Return the environment of the operator, who has just claimed his token."""
        token = self.ask(self.service_environment, "admin", "init", "--new-token")
        once = self.person() | {"ESCROW_ONE_TIME_TOKEN": str(token["one_time_token"])}
        who = ("--name", "Ada", "--email", "ada@example.org")
        return self.person(str(self.ask(once, "admin", "claim", *who)["token"]))

    def post(self) -> str:
        """Post a notice as a room of the portal does; return its id."""
        home = self.folder / "home"
        clock = SystemClock()
        scribe = Scribe("portal", SigningKey.read(home / "service" / "portal.pem", None), clock)
        database = Database(f"sqlite:///{home / 'database' / 'escrow.db'}")
        with database.writing() as session:
            posted = outbox.post(session, scribe, STATED, actor="mem_1", now=clock.now())
        database.close()
        return posted


@pytest.fixture
def here() -> Iterator[MailedStage]:
    # Not below pytest's folder, which the keyholder's own user may not pass through.
    with tempfile.TemporaryDirectory(prefix="escrow-play-") as folder:
        Path(folder).chmod(0o755)
        play = MailedStage(Path(folder))
        yield play
        play.stop()


def test_the_running_service_sends_and_the_ledger_holds(here: MailedStage, host: MailHost) -> None:
    here.host = host
    here.escrow(here.service_environment, "admin", "init")
    here.start()
    notice_id, operator = here.post(), here.operator()
    until = time.monotonic() + PATIENCE_SECONDS
    while (seen := here.ask(operator, "admin", "notices"))[0]["state"] != "sent":
        assert time.monotonic() < until, seen
        time.sleep(0.2)
    assert seen[0]["id"] == notice_id
    (message,) = host.messages()
    assert message["Subject"].startswith("[demo] escrow: Service of the release request stated")
    assert f"{here.url}/api/v1/agreements/" in message.get_content()
    assert here.stop() == 0
    assert here.ask(here.service_environment, "ledger", "verify")["entries"] > 2


def test_without_a_mail_server_the_notice_stays_and_the_start_says_so(here: MailedStage) -> None:
    here.escrow(here.service_environment, "admin", "init")
    here.start()
    here.post()
    operator = here.operator()
    time.sleep(ROUND_SECONDS + 1)
    assert here.ask(operator, "admin", "notices")[0]["state"] == "waiting"
    assert "notices to the parties stay in the outbox" in here.last_words()
