"""The part of docs/states.md that is about release requests, written from the table."""

from __future__ import annotations

from agreements.requests import EVENT, NEXT, NOTIFIED, TRANSITIONS, WHO, State, Step, diagram


def requests_page() -> str:
    """Return diagram, steps and states of a release request."""
    lines = [
        "## A release request",
        "",
        "Written from `agreements/requests.py`.",
        "",
        "```mermaid",
        diagram().rstrip(),
        "```",
        "",
        "| step | from | to | done by | ledger event | notice to |",
        "|---|---|---|---|---|---|",
    ]
    for step in Step:
        ways: dict[State, list[State]] = {}
        for (state, by), to in TRANSITIONS.items():
            if by is step:
                ways.setdefault(to, []).append(state)
        start = [("—", State.FILED)] if step is Step.FILE else []
        rows = start + [(", ".join(states), to) for to, states in ways.items()]
        lines += [
            f"| {step} | {begin} | {to} | {WHO[step]} | `{EVENT[step]}` "
            f"| {', '.join(NOTIFIED[step]) or '—'} |"
            for begin, to in rows
        ]
    lines += ["", "| state | what happens next |", "|---|---|"]
    lines += [f"| {state} | {NEXT[state]} |" for state in State]
    return "\n".join(lines) + "\n"
