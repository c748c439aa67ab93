"""The pages of ``docs/`` that are written from this room's tables, so that they cannot be stale."""

from __future__ import annotations

from escrow.verification.examinations import (
    SHOWN_TO_OTHERS,
    SHOWN_TO_VENDOR,
    TRANSITIONS,
    State,
)
from escrow.verification.ladder import (
    BADGE_LEVEL,
    HIGHEST_OFFERED,
    LEVEL_TEXTS,
    REASON_TEXTS,
    Level,
    Reason,
    Verdict,
)

_VERDICTS = {
    Verdict.PASS: "Proven, at every level up to the ordered one.",
    Verdict.FAIL: "Proven not to hold; the findings say what and how to mend it.",
    Verdict.ERROR: "Ours. Never the vendor's fault; it neither renews the badge nor meets the "
    "cadence, and it is tried again before it is said.",
    Verdict.NOT_TESTED: "Nothing is known, for the reason that stands with it. Never counts as "
    "PASS.",
}


def ladder_page() -> str:
    """Return what each level and verdict tells, as Markdown (``docs/ladder.md``)."""
    lines = [
        "# The verification ladder",
        "",
        "Written from `escrow/verification/ladder.py`. Each level includes those before it; "
        f"this version tests up to `{HIGHEST_OFFERED}`, and the badge is earned at "
        f"`{BADGE_LEVEL}`.",
    ]
    for level in Level:
        text = LEVEL_TEXTS[level]
        lines += [
            "",
            f"## {text.title} (`{level}`)",
            text.does,
            "",
            f"- **A pass tells:** {text.pass_tells}",
            f"- **It does not tell:** {text.pass_does_not_tell}",
            f"- **A fail tells:** {text.fail_tells}",
            f"- **Called elsewhere:** {', '.join(text.market_names)}",
        ]
    lines += ["", "## Verdicts", "", "| verdict | tells |", "|---|---|"]
    lines += [f"| `{verdict}` | {_VERDICTS[verdict]} |" for verdict in Verdict]
    lines += ["", "## Reasons", "", "| reason | stands with | tells |", "|---|---|---|"]
    for reason in Reason:
        verdict = Verdict.ERROR if reason.is_ours else Verdict.NOT_TESTED
        lines.append(f"| `{reason}` | `{verdict}` | {REASON_TEXTS[reason]} |")
    return "\n".join(lines) + "\n"


def states_page() -> str:
    """Return the states of an examination and its transitions, as Markdown."""
    lines = [
        "## Examination of a deposit",
        "",
        "Written from `escrow/verification/examinations.py`.",
        "",
        "| act | from | to | ledger event | meaning |",
        "|---|---|---|---|---|",
    ]
    for act, row in TRANSITIONS.items():
        sources = ", ".join(state for state in State if state in row.sources)
        lines.append(f"| {act} | {sources} | {row.target} | `{row.event}` | {row.meaning} |")
    lines += ["", "| state | the vendor is shown | others are shown |", "|---|---|---|"]
    lines += [
        f"| {state} | {SHOWN_TO_VENDOR[state]} | {SHOWN_TO_OTHERS[state]} |" for state in State
    ]
    return "\n".join(lines) + "\n"
