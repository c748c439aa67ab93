"""How a command ends: done, or with one sentence, a remedy and an exit code, never a traceback.

Errors of the service's rooms say both themselves. Those of the packages that know nothing of the
service, of the machine (a file that cannot be read) and of the line that was typed are put into
the same form here. What nobody foresaw is a fault of ours: its traceback goes to a file that the
sentence names.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from escrow.ground.errors import EscrowError, InvalidInput, Unavailable
from escrow.operations.cli.output import (
    EXIT_COULD_NOT_TELL,
    EXIT_HOLDS,
    report_error,
    take_json_flag,
    wants_json,
)

# What a shell reports of a program that was ended by Ctrl-C (128 and the signal's number).
EXIT_INTERRUPTED = 130


class BadCommand(Unavailable):
    """The line that was typed is no command of ours."""

    code = "cli.bad-command"


class FileTrouble(InvalidInput):
    """A file or folder that a command needs cannot be read or written."""

    code = "cli.file-trouble"


class Interrupted(Unavailable):
    """Ctrl-C ended the command."""

    code = "cli.interrupted"


class InputEnded(Unavailable):
    """The input ended (Ctrl-D, or no terminal) where an answer was asked for."""

    code = "cli.input-ended"


class BadText(InvalidInput):
    """A file that has to be text is none."""

    code = "cli.bad-text"


class PackageError(InvalidInput):
    """An error of the packages below the service, in the service's form."""

    code = "cli.package-error"


class OwnFault(Unavailable):
    """The command met an error that nobody foresaw."""

    code = "cli.own-fault"


def run(arguments: Sequence[str]) -> int:
    """Run the command of a line and return its exit code; ``--json`` may stand anywhere."""
    from escrow.operations.cli.application import app

    line = take_json_flag(arguments)
    # A name of a file that is no text must not end a listing.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        ended = app(args=line, prog_name="escrow", standalone_mode=False)
    except SystemExit as exit_:
        # So the parser ends a command whose reader went away, before it was done.
        gone = isinstance(exit_.__context__, BrokenPipeError)
        return exit_.code if isinstance(exit_.code, int) and not gone else EXIT_COULD_NOT_TELL
    except Exception as error:
        # The outermost edge of a process: whatever it is, a person gets a sentence.
        return _end_with(error)
    if ended == EXIT_INTERRUPTED:
        report_error(
            Interrupted(
                "Stopped by Ctrl-C before it was done.",
                "What the service has acknowledged stays; 'escrow status' shows it.",
            )
        )
    return ended if isinstance(ended, int) else EXIT_HOLDS


def open_what_is_closed() -> None:
    """Give a process that was started without output or errors (``>&-``) somewhere to write."""
    # Else the next file that is opened gets that number, and what is printed goes into it.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for good
            setattr(sys, name, nowhere)


def let_go_of_output(code: int) -> int:
    """Write what is left and return the exit code; one that tells nothing if it was not written.

    A reader who went away (``| head``) is no error; a disk that is full is one.
    """
    if sys.__stdout__ is None:
        return code
    try:
        sys.__stdout__.flush()
    except OSError as error:
        # What is left must not be tried again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        if isinstance(error, BrokenPipeError):
            return code
        return report_unwritten(error)
    return code


def report_unwritten(error: OSError) -> int:
    """Say that the result could not be printed, and return the exit code."""
    trouble = FileTrouble(
        f"The result could not be written to the output: {error.strerror}.",
        "Check that the disk has room where the output goes; then run the command again.",
    )
    return report_error(trouble)


def described(error: Exception) -> EscrowError:
    """Return any error in the form of the service's own: reason, remedy, stable code."""
    if isinstance(error, EscrowError):
        return error
    if hasattr(error, "format_message"):
        return _bad_command(error)
    if hasattr(error, "reason") and hasattr(error, "remedy") and hasattr(error, "code"):
        return _of_package(error)
    if isinstance(error, json.JSONDecodeError):
        from escrow.operations.cli.remote import NotOurService

        return NotOurService("its answer is no JSON")
    if isinstance(error, UnicodeError):
        return BadText("What was given is no UTF-8 text.", "Give the text file that is meant.")
    if isinstance(error, OSError):
        return _file_trouble(error)
    return _own_fault(error)


def _end_with(error: Exception) -> int:
    if type(error).__name__ == "Abort":
        return report_error(
            InputEnded(
                "The input ended where an answer was asked for.",
                "Run it on a terminal, or put the passphrase into a file and its path into "
                "ESCROW_PASSPHRASE_FILE.",
            )
        )
    asked_for_help = type(error).__name__ == "NoArgsIsHelpError"
    if asked_for_help and not wants_json():
        sys.stderr.write(f"{error}\n")
        return EXIT_COULD_NOT_TELL
    return report_error(described(error))


def _bad_command(error: Exception) -> BadCommand:
    """Return what the parser of the line said; its classes are not the same in all versions."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "escrow"
    reason = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    # Some end as a sentence does, some do not.
    reason = reason if reason.endswith((".", "?")) else f"{reason}."
    if type(error).__name__ == "NoArgsIsHelpError":
        reason = f"'{path}' needs a command."
    return BadCommand(reason, f"'{path} --help' shows how it is used, with an example.")


def _of_package(error: Exception) -> EscrowError:
    from builders.errors import EngineUnavailable, ImageNotBuilt, SandboxUnsafe

    reason, remedy = str(getattr(error, "reason", "")), str(getattr(error, "remedy", ""))
    later = isinstance(error, (EngineUnavailable, ImageNotBuilt, SandboxUnsafe))
    ours = Unavailable(reason, remedy) if later else PackageError(reason, remedy)
    ours.__dict__["code"] = str(getattr(error, "code", PackageError.code))
    ours.__dict__["problems"] = getattr(error, "problems", None)
    return ours


def _file_trouble(error: OSError) -> FileTrouble:
    where = cast("str | bytes | None", error.filename)
    name = os.fsdecode(where) if isinstance(where, (str, bytes)) else "A file or connection"
    return FileTrouble(
        f"{name}: {error.strerror or error}.",
        "Check the path, that the disk has room, and that you may read and write there.",
    )


def _own_fault(error: Exception) -> OwnFault:
    with tempfile.NamedTemporaryFile(
        "w", prefix="escrow-fault-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    return OwnFault(
        f"The command met an error of its own ({type(error).__name__}).",
        f"Try again; if it stays, report it with the lines in {file.name}.",
    )
