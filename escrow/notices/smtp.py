"""The mail server over SMTP; the only module that speaks to one.

One connection for each letter: there are few, and a connection that a letter broke is nobody
else's. Nothing is sent before TLS where the settings ask for TLS, and no certificate is believed
that the system (or the file that was named) does not vouch for.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from contextlib import suppress
from pathlib import Path

from escrow.ground.mail_settings import MailSettings
from escrow.notices.delivery import NO_ANSWER, Outcome, answer_of, answered
from escrow.notices.letters import Letter

# For each answer. A server may take minutes over the letter's end (RFC 5321, section 4.5.3.2.6);
# ours is told to take it or to be asked again.
TIMEOUT_SECONDS = 30.0

# What a server, a network or a file that is not there can do to us. The last is a password that
# cannot be spelt on the wire.
_TROUBLE = (OSError, smtplib.SMTPException, UnicodeError)

_log = logging.getLogger("escrow.notices")


class SmtpServer:
    """A mail server, spoken to as the settings say; implements ``MailServer``.

    Args:
        mail: checked settings.
        timeout_seconds: for the connection and for each answer.
    """

    def __init__(self, mail: MailSettings, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._mail = mail
        self._timeout_seconds = timeout_seconds

    def deliver(self, letter: Letter) -> Outcome:
        """Hand one letter to the server; every trouble on the way is an outcome."""
        connection: smtplib.SMTP | None = None
        try:
            connection = self._connected()
            self._authenticate(connection)
            return _hand_over(connection, letter)
        except _TROUBLE as problem:
            # The text may repeat an address; the class and the code do not.
            answer = _answer_in(problem)
            _log.warning("mail server %s: %s (%s)", self._mail.host, type(problem).__name__, answer)
            return Outcome("deferred", answer, is_server_trouble=True)
        finally:
            if connection is not None:
                _leave(connection)

    def _connected(self) -> smtplib.SMTP:
        mail = self._mail
        # Our name in EHLO: the sender's domain, because looking for this machine's own may take
        # as long as a broken name server does.
        here = mail.sender.rpartition("@")[2]
        if mail.tls == "tls":
            return smtplib.SMTP_SSL(
                mail.host,
                mail.port,
                here,
                timeout=self._timeout_seconds,
                context=_tls(mail.ca_file),
            )
        context = _tls(mail.ca_file) if mail.tls == "starttls" else None
        connection = smtplib.SMTP(mail.host, mail.port, here, timeout=self._timeout_seconds)
        try:
            if context is not None:
                connection.starttls(context=context)
        except BaseException:
            connection.close()
            raise
        return connection

    def _authenticate(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        if self._mail.username is not None and self._mail.password_file is not None:
            password = self._mail.password_file.read_text(encoding="utf-8").rstrip("\r\n")
            connection.login(self._mail.username, password)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _hand_over(connection: smtplib.SMTP, letter: Letter) -> Outcome:
    code, text = connection.mail(letter.sender)
    if code // 100 != 2:
        # It is our own address, or the server's state, that is not taken: no reader's fault.
        return Outcome("deferred", answer_of(code, text), is_server_trouble=True)
    code, text = connection.rcpt(letter.recipient)
    if code // 100 != 2:
        return answered(code, text)
    try:
        code, text = connection.data(letter.content)
    except smtplib.SMTPDataError as refusal:
        # The server did not even want to see the letter.
        return answered(refusal.smtp_code, _as_bytes(refusal.smtp_error))
    return answered(code, text)


def _answer_in(problem: Exception) -> str:
    if isinstance(problem, smtplib.SMTPResponseException):
        return answer_of(problem.smtp_code, _as_bytes(problem.smtp_error))
    return NO_ANSWER


def _as_bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii", "replace")


def _leave(connection: smtplib.SMTP) -> None:
    # What it says to our farewell changes nothing any more.
    with suppress(*_TROUBLE):
        connection.quit()
    connection.close()
