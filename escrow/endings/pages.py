"""The part of docs/states.md that is about endings, written from the table."""

from __future__ import annotations

from escrow.endings.states import (
    EVENT,
    FINAL,
    NEXT,
    OPENING,
    TOLD,
    TRANSITIONS,
    State,
    Step,
    doers_of,
)


def endings_page() -> str:
    """Return diagram, steps and states of holds, withdrawals and destructions."""
    lines = [
        "## Holds, withdrawals, destructions",
        "",
        "Written from `escrow/endings/states.py`. Everybody of the agreement is told of a step "
        "with a notice.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        *(f"    [*] --> {state}: {step}" for step, (_, state) in OPENING.items()),
        *(f"    {state} --> {to}: {step}" for (state, step), to in TRANSITIONS.items()),
        *(f"    {state} --> [*]" for state in State if state in FINAL),
        "```",
        "",
        "| step | from | to | done by | ledger event | notice |",
        "|---|---|---|---|---|---|",
    ]
    for step in Step:
        begun = [("—", OPENING[step][1])] if step in OPENING else []
        moved = [(state, to) for (state, by), to in TRANSITIONS.items() if by is step]
        for begin, to in [*begun, *moved]:
            told = "yes" if step in TOLD else "—"
            lines.append(
                f"| {step} | {begin} | {to} | {doers_of(step)} | `{EVENT[step]}` | {told} |"
            )
    lines += ["", "| state | what happens next |", "|---|---|"]
    lines += [f"| {state} | {NEXT[state]} |" for state in State]
    return "\n".join(lines) + "\n"
