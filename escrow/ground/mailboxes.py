"""Mailboxes: which text can stand as one address in a mail and on the wire.

What passes is plain ASCII without quotes, blanks, line ends or brackets, so that no address can
begin a header, a command or a second address of its own. It does not tell whether anybody reads
what is sent there.
"""

from __future__ import annotations

import re

# RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3: a path of 256 less its brackets.
MAX_MAILBOX_CHARS = 254
_MAX_LOCAL_CHARS = 64

# RFC 5322, section 3.2.3: a dot-atom; quoted local parts are in nobody's use, and full of traps.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def mailbox_of(unverified_text: str) -> str | None:
    """Return an address as it stands in a mail, None when it cannot stand there.

    A domain in another script is written in its ASCII form. A local part in another script is not
    taken: few servers do (RFC 6531).
    """
    local, _, domain = unverified_text.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    is_well_formed = (
        len(local) <= _MAX_LOCAL_CHARS
        and len(local) + 1 + len(domain) <= MAX_MAILBOX_CHARS
        and _LOCAL.fullmatch(local)
        and _DOMAIN.fullmatch(domain)
    )
    return f"{local}@{domain}" if is_well_formed else None
