"""What goes wrong in this package, and the one shape of every remark on an agreement's text.

::

    AgreementError
    ├── AgreementInvalid    the text breaks the format; carries every problem found
    ├── TemplateError       a template does not exist or was not filled completely
    └── CalendarError       a calendar is unknown or says nothing about a year
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One remark on an agreement's text; an error stops it, a warning is shown to all who sign.

    Attributes:
        code: stable name of the rule, such as ``agreement.unknown-key``.
        line: line of the text, counted from 1; 1 where the text as a whole is meant.
        path: where in the document, such as ``agents[0].email``; empty for the whole text.
        reason: one sentence: what is wrong.
        remedy: one sentence: what to write instead.
    """

    code: str
    line: int
    path: str
    reason: str
    remedy: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"line {self.line}: {self.severity}: {self.reason} {self.remedy} [{self.code}]"


class AgreementError(Exception):
    """Root of this package's errors: a reason, a remedy and a stable code."""

    code: ClassVar[str] = "agreement.error"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class AgreementInvalid(AgreementError):
    """An agreement's text has at least one error; ``problems`` holds the warnings too."""

    code = "agreement.invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        first = errors[0]
        more = f" {len(errors) - 1} more places are wrong." if len(errors) > 1 else ""
        super().__init__(f"Line {first.line}: {first.reason}{more}", first.remedy)
        self.problems = list(problems)


class TemplateError(AgreementError):
    """A template is unknown, or its placeholders and the values given do not match."""

    code = "agreement.bad-template"


class CalendarError(AgreementError):
    """A business-day calendar is unknown, or its data does not reach the date asked for."""

    code = "agreement.bad-calendar"
