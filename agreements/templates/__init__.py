"""Templates of agreements: texts with places to fill, and how to fill them.

A placeholder, ``${name}``, stands inside double quotes and takes one text. What is filled in is
escaped, so a name with a quotation mark cannot add a line to somebody's agreement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files

from agreements.errors import TemplateError

TEMPLATE_NAMES = ("three-party",)

_PLACEHOLDER = re.compile(r"\$\{([a-z0-9_]+)\}")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def template_text(name: str) -> str:
    """Return a template as it is, to be filled by hand in an editor.

    Raises:
        TemplateError: there is no template of that name.
    """
    if name not in TEMPLATE_NAMES:
        raise TemplateError(
            f"There is no template {name[:40]!r}.", f"Choose one of: {', '.join(TEMPLATE_NAMES)}."
        )
    return files("agreements.templates").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def placeholders(name: str) -> tuple[str, ...]:
    """Return the names that a template asks for, in the order of the text.

    Raises:
        TemplateError: there is no template of that name.
    """
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template_text(name))))


def render_template(name: str, substitutions: Mapping[str, str]) -> str:
    """Return the template with every placeholder replaced by its escaped value.

    Raises:
        TemplateError: no such template, a value is missing, or a name is not asked for.
    """
    asked = placeholders(name)
    missing = [key for key in asked if key not in substitutions]
    if missing:
        raise TemplateError(
            f"The template {name} was not given: {', '.join(missing)}.", "Give each a value."
        )
    for key in substitutions:
        if key not in asked:
            close = get_close_matches(key, asked, n=1)
            raise TemplateError(
                f"The template {name} has no placeholder {key[:40]!r}.",
                f"Did you mean {close[0]!r}?" if close else "Leave it out.",
            )
    return _PLACEHOLDER.sub(lambda found: _escape(substitutions[found[1]]), template_text(name))


def _escape(value: str) -> str:
    """Return the value as it stands inside a basic string (TOML 1.0, "String")."""
    return "".join(
        _ESCAPES.get(char) or (f"\\u{ord(char):04x}" if char < " " or char == "\x7f" else char)
        for char in value
    )
