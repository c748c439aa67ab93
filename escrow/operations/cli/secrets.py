"""Passphrases of key files: asked for, or read from where the caller says; never from argv."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from escrow.ground.errors import InvalidInput

PASSPHRASE_FILE_VARIABLE = "ESCROW_PASSPHRASE_FILE"  # noqa: S105 - a name, not a passphrase

PIN_FILE_VARIABLE = "ESCROW_PIN_FILE"


class NoPassphrase(InvalidInput):
    """A key file needs a passphrase and none can be had."""

    code = "cli.no-passphrase"


def passphrase(purpose: str, *, confirm: bool = False) -> str | None:
    """Return the passphrase; None when the caller explicitly wants none (an empty one).

    Args:
        purpose: what it protects, for the prompt.
        confirm: ask twice, for a new key.

    Raises:
        NoPassphrase: neither a file is named nor is anybody there to ask, or the two differ.
    """
    if path := os.environ.get(PASSPHRASE_FILE_VARIABLE):
        try:
            return Path(path).read_text(encoding="utf-8").strip("\r\n") or None
        except (OSError, UnicodeDecodeError) as problem:
            raise NoPassphrase(
                f"The passphrase's file {path} cannot be read.",
                f"Check the path in {PASSPHRASE_FILE_VARIABLE}.",
            ) from problem
    if not sys.stdin.isatty():
        raise NoPassphrase(
            f"A passphrase for {purpose} is needed and there is no terminal to ask on.",
            f"Put it into a file and its path into {PASSPHRASE_FILE_VARIABLE}; an empty file "
            "means an unprotected key.",
        )
    text = getpass.getpass(f"Passphrase for {purpose}: ")
    if confirm and getpass.getpass("The same again: ") != text:
        raise NoPassphrase("The two passphrases differ.", "Run the command again.")
    return text or None


def pin(purpose: str) -> str:
    """Return a token's PIN: from the file that is named, or asked for.

    Raises:
        NoPassphrase: neither a file is named nor is anybody there to ask.
        TokenUnavailable: the file cannot be read.
    """
    from escrow.ground.pkcs11_tokens import read_pin

    if path := os.environ.get(PIN_FILE_VARIABLE):
        return read_pin(Path(path))
    if not sys.stdin.isatty():
        raise NoPassphrase(
            f"The PIN of {purpose} is needed and there is no terminal to ask on.",
            f"Put it into a file and its path into {PIN_FILE_VARIABLE}; /dev/fd/3 is one, too.",
        )
    return getpass.getpass(f"PIN of {purpose}: ")
