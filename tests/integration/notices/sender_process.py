"""A sender that a test may kill between the server's "accepted" and our note of it.

Usage: sender_process.py <folder of the world> <port> <CA file>. It prints "accepted", and waits.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from escrow.ground.mail_settings import MailSettings
from escrow.notices.delivery import Outcome
from escrow.notices.letters import Letter
from escrow.notices.smtp import SmtpServer
from tests.rooms.notices.conftest import LETTERHEAD, OutboxWorld


class WaitsAfterwards(SmtpServer):
    def deliver(self, letter: Letter) -> Outcome:
        print(super().deliver(letter).result, flush=True)
        while True:
            time.sleep(60)


def main(folder: str, port: str, ca_file: str) -> None:
    sender = LETTERHEAD.sender
    mail = MailSettings(
        "127.0.0.1", int(port), "starttls", None, None, Path(ca_file), sender, sender
    )
    world = OutboxWorld(Path(folder))
    replace(world.sender, server=WaitsAfterwards(mail)).send_due()


main(*sys.argv[1:])
