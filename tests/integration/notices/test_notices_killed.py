"""A sender that is killed between the hand-over and its record, on a real mail server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from escrow.ground.mail_settings import MailSettings
from escrow.notices.delivery import LEASE
from escrow.notices.smtp import SmtpServer
from tests.integration.notices.mail_host import MailHost
from tests.rooms.notices.conftest import OutboxWorld

ROOT = Path(__file__).parents[3]
SENDER = Path(__file__).with_name("sender_process.py")


def test_killed_between_send_and_record_reaches_the_mailbox_again_under_one_message_id(
    world: OutboxWorld, host: MailHost, settings: Callable[..., MailSettings]
) -> None:
    notice_id = world.post()
    command = [sys.executable, str(SENDER), str(world.ledger.folder)]
    command += [str(host.port), str(host.ca.file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "accepted\n"
        process.kill()
    assert world.state(notice_id) == "waiting"
    assert len(host.messages()) == 1

    world.sender = replace(world.sender, server=SmtpServer(settings()))
    assert world.send() == 0, "the lease of the dead is kept"
    assert world.send(after=LEASE) == 1
    first, second = host.messages()
    assert first["Message-ID"] == second["Message-ID"] == world.row(notice_id).message_id
    assert first.get_content() == second.get_content()
    assert world.event_types() == ["posted", "sent"]
