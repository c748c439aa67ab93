"""What may pass through the engine: identifiers, and nothing that could be a secret or a text.

The engine writes arguments and results of steps into tables that backups copy and operators read.
So a value is an id of ours, a short lower-case word, or a number; keys, tokens, paths, log lines
and addresses do not have that form. A receiver treats even these as a hint and looks things up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from escrow.engine.errors import NotAnIdentifier, ResultUnfit

# An id as ground makes it, a word of at most 24 characters (shorter than any key in hex), or a
# number.
_VALUE = re.compile(r"[a-z]{2,12}_[0-9a-hjkmnp-tv-z]{26}|[a-z][a-z0-9-]{0,23}|[0-9]{1,15}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# Words and ids joined, such as ``verify-dep_01…`` or ``mail:age_01…:objection``.
_KEY = re.compile(r"[a-z0-9][a-z0-9_:.-]{0,159}")

# Beginnings of our tokens and of age's private keys, anywhere in a text.
_SECRET = re.compile(r"esc_[a-z]{2,12}_[0-9a-z]|AGE-SECRET-KEY-|PRIVATE KEY")

# A result is a verdict, some ids and counts; reports and logs have tables and files of their own.
MAX_RESULT_BYTES = 8 * 1024


def check_job_name(name: str) -> None:
    """Refuse a name of a job or a step that is no short lower-case word.

    Raises:
        NotAnIdentifier: other form.
    """
    if not _NAME.fullmatch(name):
        raise NotAnIdentifier(
            f"{name[:60]!r} cannot name a job or a step.", "Use 1 to 64 of a-z, 0-9, '-' and '_'."
        )


def check_key(key: str) -> None:
    """Refuse a key that is not made of words and ids.

    Raises:
        NotAnIdentifier: other form, or it holds a token.
    """
    if not _KEY.fullmatch(key) or _SECRET.search(key):
        raise NotAnIdentifier(
            "The key of a job has a form that no key has.",
            "Join words and ids by '-', ':' or '.', 160 characters at most.",
        )


def check_arguments(arguments: Mapping[str, str]) -> None:
    """Refuse arguments of a job that are not identifiers.

    Raises:
        NotAnIdentifier: a value is no id, short word or number; it is not repeated in the error.
    """
    for name, value in arguments.items():
        check_job_name(name)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise NotAnIdentifier(
                f"The argument {name!r} of a job is no identifier.",
                "Store the value in a table of its room and pass the id.",
            )


def checked_result(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Return the result of a step as it will be read after a restart.

    Raises:
        ResultUnfit: no JSON value, longer than MAX_RESULT_BYTES, or it holds a key or a token.
    """
    remedy = "Return ids, codes and counts, and store the rest in a table of its room."
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ResultUnfit("The result of a step is no JSON value.", remedy) from None
    if len(text) > MAX_RESULT_BYTES:
        raise ResultUnfit(f"The result of a step is longer than {MAX_RESULT_BYTES} bytes.", remedy)
    if _SECRET.search(text):
        raise ResultUnfit("The result of a step holds a key or a token.", remedy)
    return json.loads(text)
