"""The mail server that notices leave by: its settings, and what of them must not be together.

No mail server is set by default: notices then wait in the outbox, and every start says so. The
password comes from a file and from nowhere else, and is never sent over a line that is not sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from escrow.ground import setting_values as form
from escrow.ground.errors import Refused
from escrow.ground.setting_values import Spec

SmtpTls = Literal["starttls", "tls", "none"]

# RFC 6409 (submission), RFC 8314 (implicit TLS), RFC 5321 (a relay of one's own).
DEFAULT_PORTS: Mapping[SmtpTls, int] = {"starttls": 587, "tls": 465, "none": 25}

NO_MAIL_SERVER = (
    "No mail server is set (ESCROW_SMTP_HOST): notices to the parties stay in the outbox. "
    "'escrow admin notices' lists them."
)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OTHERS_MAY_READ = 0o077


class MailIncomplete(Refused):
    """A mail server is set, and something without which it cannot be used is not."""

    code = "settings.mail-incomplete"


class MailPasswordInClear(Refused):
    """The settings would send a password over a line that anybody on the way can read."""

    code = "settings.mail-password-in-clear"


@dataclass(frozen=True)
class MailSettings:
    """A mail server; :meth:`check` tells whether its settings go together.

    Args:
        host: name or address; the certificate must be for it.
        port: of the server.
        tls: ``starttls`` (nothing is sent before TLS), ``tls`` from the first byte, ``none``.
        username: None where the server asks for none.
        password_file: read anew for each connection, so that it may be changed while we run.
        ca_file: certificates that are believed instead of the system's.
        sender: the address that notices come from, and that bounces go to.
        reply_to: where answers go.
    """

    host: str
    port: int
    tls: SmtpTls
    username: str | None
    password_file: Path | None
    ca_file: Path | None
    sender: str
    reply_to: str

    def check(self) -> None:
        """Return when the settings go together.

        Raises:
            MailIncomplete: no sender, or a user without a password, or the other way round.
            MailPasswordInClear: a password, and no TLS.
        """
        if not self.sender:
            raise MailIncomplete(
                "A mail server is set, and no address that notices come from.",
                "Set ESCROW_SMTP_FROM, such as notices@escrow.example.org.",
            )
        if (self.username is None) != (self.password_file is None):
            raise MailIncomplete(
                "The mail server's user and its password's file are not both set.",
                "Set ESCROW_SMTP_USERNAME and ESCROW_SMTP_PASSWORD_FILE, or neither.",
            )
        if self.username is not None and self.tls == "none":
            raise MailPasswordInClear(
                "The mail server's password would be sent in clear.",
                "Set ESCROW_SMTP_TLS to starttls or tls, or take the user and the password away.",
            )

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each thing that may be so, and that somebody should know of."""
        found = []
        if self.tls == "none" and self.host not in _LOOPBACK:
            found.append(
                f"Notices go to the mail server {self.host} in clear: whoever is on the way reads "
                "who is told what, and may answer in its place."
            )
        if self.password_file is not None and _others_may_read(self.password_file):
            found.append(
                f"The mail server's password in {self.password_file} is missing, or others than "
                "its owner may read it: make the file, and 'chmod 600' it."
            )
        return tuple(found)


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS_MAY_READ)
    except OSError:
        return True


MAIL_SPECS: tuple[Spec, ...] = (
    Spec(
        "smtp_host",
        form.optional_host,
        lambda _: None,
        "the mail server that notices leave by; without one they stay in the outbox",
    ),
    Spec(
        "smtp_tls",
        form.one_of(*get_args(SmtpTls)),
        lambda _: "starttls",
        "starttls, tls (from the first byte) or none (a relay on this machine)",
    ),
    Spec(
        "smtp_port",
        form.integer(1, 65535),
        lambda known: DEFAULT_PORTS[known["smtp_tls"]],
        "the mail server's port",
    ),
    Spec("smtp_username", form.optional_text, lambda _: None, "the user at the mail server"),
    Spec(
        "smtp_password_file",
        form.optional_path,
        lambda _: None,
        "a file that holds that user's password and nothing else",
    ),
    Spec(
        "smtp_ca_file",
        form.optional_path,
        lambda _: None,
        "certificates (PEM) that the mail server's is checked against, instead of the system's",
    ),
    Spec(
        "smtp_from",
        form.optional_mailbox,
        lambda _: None,
        "the address that notices come from; bounces go there",
    ),
    Spec(
        "smtp_reply_to",
        form.optional_mailbox,
        lambda known: known["smtp_from"],
        "the address that answers to notices go to",
    ),
)
