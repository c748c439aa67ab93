"""From a build's output to what a person does about it.

The output is hostile and long, so it is read line by line as it comes, with rules that look at one
line each; nothing of it is kept but what becomes a finding. Explanations are only asked for when a
phase failed: a line that looks like an error proves nothing in a phase that succeeded.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from builders.allowances import OUTPUT_BYTES_MAX
from builders.explain_rules import RULES, UNKNOWN_HOST, Explained
from builders.findings import Finding, listed
from builders.offers import version_of
from builders.orders import ComponentPlan, PhaseResult

# A longer line is data, not a message.
LINE_BYTES_MAX = 4_000

# What of one error is joined from several lines; more is a stack, not a message.
CONTINUED_CHARACTERS_MAX = 500

# Different explanations of one phase; a thousand missing headers have one cause.
EXPLANATIONS_MAX = 20

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR_LINE = re.compile(
    r"(?<![\w./-])(error|fatal|failed|failure|cannot|could not|unable to|exception|not found)"
    r"(?![\w./-])|\*\*\*",
    re.IGNORECASE,
)
# What a configuration step did not find while it looked around is no error by itself, nor is a
# command that the shell shows before it runs it ('set -x').
_PROBES = ("checking ", "-- ", "+ ")
_BUILD_TOOLS_CONTEXT = "to install build dependencies"

_LOCK_FIRST = "npm install --package-lock-only, commit package-lock.json, then run "

# What a build lacks is said together; what broke because of it is said only when nothing lacks.
_GENERAL = frozenset(("E-BUILD-COMPILE-ERROR",))
_OF_NAMES = (
    "E-BUILD-PYTHON-TOOL-MISSING",
    "E-BUILD-PYTHON-MISSING",
    "E-BUILD-NPM-MISSING",
    "E-BUILD-NETWORK",
)


@dataclass(frozen=True)
class Circumstances:
    """What is known beside the output: the plan, and what the inspection found missing."""

    component: ComponentPlan
    missing_submodules: tuple[str, ...] = ()


class LogReader:
    """Reads one phase's output as it comes, and explains it afterwards."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._known = circumstances
        self._rest: dict[str, bytes] = {}
        self._found: dict[Explained, None] = {}
        self._first_error = ""
        self._continues = False
        self._last_line = ""
        self._about_build_tools = False

    def feed(self, stream: str, data: bytes) -> None:
        """Take the next bytes of one of the streams."""
        *lines, rest = (self._rest.get(stream, b"") + data).split(b"\n")
        self._rest[stream] = rest[:LINE_BYTES_MAX]
        for line in lines:
            self._read(line)

    def explain(self, result: PhaseResult) -> tuple[Finding, ...]:
        """Return why the phase failed; nothing when it succeeded."""
        for rest in self._rest.values():
            self._read(rest)
        self._rest.clear()
        if result.succeeded:
            return ()
        found = (*self._of_limits(result), *self._of_lines())
        return found or (self._of_exit(result),)

    def _read(self, raw: bytes) -> None:
        text = raw[:LINE_BYTES_MAX].decode("utf-8", "replace").rpartition("\r")[2].rstrip()
        line = _ANSI.sub("", text)
        if not line.strip():
            return
        self._last_line = line
        self._about_build_tools |= _BUILD_TOOLS_CONTEXT in line
        whole = self._continued(line)
        for path in self._known.missing_submodules:
            if path and path in line:
                self._keep(Explained("E-BUILD-SUBMODULE", (("file", path),)))
        for pattern, explain in RULES:
            if (match := pattern.search(whole)) is not None:
                for explained in explain(match):
                    self._keep(self._in_context(explained))

    def _continued(self, line: str) -> str:
        """Return the line with the error that it belongs to: CMake says where, then what."""
        if not self._first_error:
            if _ERROR_LINE.search(line) and not line.startswith(_PROBES):
                self._first_error, self._continues = line, line.endswith(":")
            return line
        self._continues = self._continues and line.startswith("  ")
        if not self._continues or len(self._first_error) > CONTINUED_CHARACTERS_MAX:
            return line
        self._first_error += " " + line.strip()
        return self._first_error

    def _in_context(self, explained: Explained) -> Explained:
        if explained.code == "E-BUILD-PYTHON-MISSING" and self._about_build_tools:
            return Explained("E-BUILD-PYTHON-TOOL-MISSING", explained.facts)
        facts = dict(explained.facts)
        of_node = self._known.component.ecosystem == "node"
        if explained.code == "E-BUILD-COMMAND-MISSING" and of_node and not facts["hint"]:
            return Explained("E-BUILD-NODE-COMMAND", (("command", facts["command"]),))
        return explained

    def _keep(self, explained: Explained) -> None:
        if len(self._found) < EXPLANATIONS_MAX:
            self._found.setdefault(explained)

    def _of_limits(self, result: PhaseResult) -> Iterable[Finding]:
        limits = self._known.component.limits
        codes = {explained.code for explained in self._found}
        rows = (
            (result.oom_killed, "E-BUILD-OUT-OF-MEMORY", _size(limits.memory_bytes)),
            ("E-BUILD-DISK-FULL" in codes, "E-BUILD-DISK-FULL", _size(limits.disk_bytes)),
            (result.timed_out, "E-BUILD-TIME-LIMIT", f"{limits.seconds / 60:g} minutes"),
            (result.output_flooded, "E-BUILD-OUTPUT-FLOOD", f"{OUTPUT_BYTES_MAX >> 20} MiB"),
        )
        hit = [(code, limit) for applies, code, limit in rows if applies]
        if not hit and "E-BUILD-OUT-OF-MEMORY" in codes:
            hit = [("E-BUILD-OUT-OF-MEMORY", _size(limits.memory_bytes))]
        return [self._finding(code, {"phase": result.phase, "limit": lim}) for code, lim in hit]

    def _of_lines(self) -> list[Finding]:
        limits = ("E-BUILD-DISK-FULL", "E-BUILD-OUT-OF-MEMORY")
        rows = [explained for explained in self._found if explained.code not in limits]
        specific = [row for row in rows if row.code not in _GENERAL]
        chosen = specific or rows[:1]
        found = [
            self._finding(row.code, dict(row.facts)) for row in chosen if row.code not in _OF_NAMES
        ]
        names = {
            code: [dict(row.facts)["name"] for row in chosen if row.code == code]
            for code in _OF_NAMES
        }
        self._add_undeposited(names)
        return found + [self._of_names(code, each) for code, each in names.items() if each]

    def _of_names(self, code: str, names: list[str]) -> Finding:
        if code == "E-BUILD-NETWORK":
            known = [name for name in names if name != UNKNOWN_HOST]
            return self._finding(code, {"hosts": listed(known or names)})
        facts = {"names": listed(names)}
        if code == "E-BUILD-NPM-MISSING":
            facts["first"] = "" if self._known.component.locked else _LOCK_FIRST
        else:
            facts["arguments"] = " ".join(shlex.quote(name) for name in dict.fromkeys(names))
            facts["python"] = version_of("python", self._known.component.suite)
        return self._finding(code, facts)

    def _add_undeposited(self, names: dict[str, list[str]]) -> None:
        """Name what was declared and is in no store either: pip stops at the first one."""
        tools, runtime = names["E-BUILD-PYTHON-TOOL-MISSING"], names["E-BUILD-PYTHON-MISSING"]
        said = {_normal(name) for name in (*tools, *runtime)}
        component = self._known.component
        if said:
            tools += [line for line in component.undeposited_tools if _normal(line) not in said]
            runtime += [line for line in component.undeposited if _normal(line) not in said]

    def _of_exit(self, result: PhaseResult) -> Finding:
        line = (self._first_error or self._last_line or "no output").strip()
        exit_code = "none" if result.exit_code is None else str(result.exit_code)
        if result.phase == "test":
            return self._finding("E-TEST-FAILED", {"exit_code": exit_code, "line": line})
        facts = {"phase": result.phase, "exit_code": exit_code, "line": line}
        return self._finding("E-BUILD-COMMAND-FAILED", facts)

    def _finding(self, code: str, facts: dict[str, str]) -> Finding:
        return Finding(code, facts, self._known.component.name)


def _normal(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):g} GiB"
