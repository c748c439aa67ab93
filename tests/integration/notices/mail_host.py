"""A real mail server (Exim) of an own user on a high port of loopback, with a mailbox in a folder.

The folder holds everything; a file ``busy`` in it makes every recipient be told to come again.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path

from demo.stage import free_port
from escrow.testing.mail import parsed
from tests.integration.notices.trial_ca import TrialCa

EXIM = "/usr/sbin/exim4"

# A start takes a fraction of a second; a loaded machine may need more.
PATIENCE_SECONDS = 30.0

USER, PASSWORD = "escrow", "trial password"

CONFIGURATION = """\
exim_path = {exim}
exim_user = {user}
exim_group = {group}
admin_groups = {group}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
primary_hostname = mail.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
deliver_drop_privilege = true
host_lookup =
rfc1413_hosts =
keep_environment =
tls_advertise_hosts = {advertised}
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.key
acl_smtp_mail = mail
acl_smtp_rcpt = recipient
acl_smtp_data = content
begin acl
mail:
  deny !authenticated = *
       condition = ${{if exists{{{folder}/known-only}}}}
       message = 5.7.0 who are you?
  accept
recipient:
  deny local_parts = nobody
       message = 5.1.1 there is no such mailbox
  defer condition = ${{if exists{{{folder}/busy}}}}
        message = 4.3.2 come again
  accept
content:
  deny condition = ${{if exists{{{folder}/picky}}}}
       message = 5.7.1 such letters are not taken
  accept
begin routers
all:
  driver = accept
  transport = mailbox
begin transports
mailbox:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{name}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""


class MailHost:
    """One mail server; :meth:`start` it, and :meth:`stop` it for good or for a while.

    Args:
        offers_tls: whether it says that it can STARTTLS.
    """

    def __init__(self, *, offers_tls: bool = True) -> None:
        # Not below pytest's folder, which the server's own user may not pass through.
        self.folder = Path(tempfile.mkdtemp(prefix="escrow-mail-"))
        self.port, self.tls_port = free_port(), free_port()
        self.ca = TrialCa(self.folder)
        self._groups: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._user, self._group, self._as = _own_user()
        for name in ("spool", "log", "mail"):
            (self.folder / name).mkdir()
        (self.folder / "exim.conf").write_text(
            CONFIGURATION.format(
                exim=EXIM,
                user=self._user,
                group=self._group,
                folder=self.folder,
                port=self.port,
                tls_port=self.tls_port,
                advertised="*" if offers_tls else "",
                name=USER,
                password=PASSWORD,
            )
        )
        self._give_away()

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [EXIM, "-bdf", "-C", str(self.folder / "exim.conf")]
        with (self.folder / "log" / "stderr").open("ab") as said:
            self._process = subprocess.Popen(
                command, stderr=said, start_new_session=True, **self._as
            )
        self._groups.append(self._process.pid)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the mail server did not start: {self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop answering."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop for good and leave nothing."""
        self.stop()
        for group in self._groups:
            # A child that still delivers, or takes the daemon's traces away.
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.folder.exists():
            # What was killed may be seen writing for a moment longer.
            shutil.rmtree(self.folder, ignore_errors=time.monotonic() < deadline)

    @contextmanager
    def told(self, word: str) -> Iterator[None]:
        """Let the server be ``busy``, ``picky`` or take letters of the ``known-only``."""
        (self.folder / word).touch()
        yield
        (self.folder / word).unlink()

    def contents(self) -> list[bytes]:
        """Return every mail in the mailbox, once all that was accepted is delivered."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any((self.folder / "spool" / "input").rglob("*-[DHJ]")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the mail server keeps what it accepted: {self.log()}")
            time.sleep(0.02)
        files = sorted((self.folder / "mail" / "new").glob("*"), key=lambda one: one.name)
        return [one.read_bytes() for one in files]

    def messages(self) -> list[EmailMessage]:
        """Return every mail in the mailbox, parsed."""
        return [parsed(content) for content in self.contents()]

    def log(self) -> str:
        """Return what the server wrote down."""
        return "\n".join(one.read_text() for one in sorted((self.folder / "log").glob("*")))

    def _answers(self) -> bool:
        with suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", self.port, "t"):
            return True
        return False

    def _give_away(self) -> None:
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self._user, self._group)


def _own_user() -> tuple[str, str, dict[str, object]]:
    """Return a user, its group, and how a process is started as it."""
    if os.geteuid() != 0:
        own = pwd.getpwuid(os.geteuid())
        return own.pw_name, grp.getgrgid(os.getegid()).gr_name, {}
    other = pwd.getpwnam("nobody")
    identity = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": [other.pw_gid]}
    return other.pw_name, grp.getgrgid(other.pw_gid).gr_name, identity
