"""The verification ladder: what each level is, what its verdict tells, how verdicts add up.

The texts stand here once; the pages of ``docs/`` and the reports are written from them.

Guarantees: nothing is rounded up. A verdict over several levels is PASS only when every level
that was ordered passed; NOT TESTED always carries its reason; ERROR is ours, is never counted
against the vendor, and never counts for him either. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Verdict(StrEnum):
    """What is known after a test; stored, never renamed."""

    PASS = "pass"  # noqa: S105  (a verdict, no password)
    FAIL = "fail"
    ERROR = "error"
    NOT_TESTED = "not-tested"


class Level(StrEnum):
    """The rungs, lowest first; the order of definition is the order of the ladder."""

    RECEIVED = "received"
    INTEGRITY = "integrity"
    INVENTORY = "inventory"
    BUILD = "build"
    EQUIVALENCE = "equivalence"
    RUN = "run"
    REDEPLOY = "redeploy"


class Reason(StrEnum):
    """Why a level has no result of its own: NOT TESTED always names one, ERROR may."""

    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    CLIENT_SEALED = "client-sealed"
    WAIVED = "waived"
    TOOLCHAIN_NOT_OFFERED = "toolchain-not-offered"
    NOT_BUILDABLE_HERE = "not-buildable-here"
    LEVEL_NOT_OFFERED = "level-not-offered"
    LOWER_LEVEL_NOT_PASSED = "lower-level-not-passed"
    LANE_CLOSED = "lane-closed"
    NOTHING_TO_BUILD = "nothing-to-build"
    NOT_OPENED_HERE = "not-opened-here"
    CARRIED_FORWARD = "carried-forward"
    ONE_WORKER = "one-worker"
    ENGINE_UNAVAILABLE = "engine-unavailable"
    SANDBOX_UNSAFE = "sandbox-unsafe"
    STORED_BYTES_DAMAGED = "stored-bytes-damaged"
    SERVICE_FAILED = "service-failed"

    @property
    def is_ours(self) -> bool:
        """Whether it stands with ERROR: ours, and never the vendor's fault."""
        return self in ERROR_REASONS


class Grade(StrEnum):
    """How complete a deposit proved at the level of the build."""

    SELF_CONTAINED = "self-contained"
    COMPLETE_WITH_CAPTURED = "complete-with-captured"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class LevelText:
    """What a level does and what its outcomes tell a reader who has to rely on them."""

    title: str
    does: str
    pass_tells: str
    pass_does_not_tell: str
    fail_tells: str
    market_names: tuple[str, ...]


LEVEL_TEXTS: Mapping[Level, LevelText] = MappingProxyType(
    {
        Level.RECEIVED: LevelText(
            "Received",
            "Every byte is counted and hashed while it is sealed, and the time is logged.",
            "Exactly these bytes arrived at this time and lie sealed.",
            "Anything about what the bytes are: they could be noise.",
            "This level cannot fail: what was not received whole is no deposit.",
            ("receipt", "deposit confirmation"),
        ),
        Level.INTEGRITY: LevelText(
            "Integrity",
            "Every part is opened from its sealed bytes and read to the end.",
            "The parts open, and no archive in them is encrypted, cut off or a bomb.",
            "That the right things are in them, or enough to build with.",
            "Something cannot be opened by whoever receives it; the findings name it.",
            ("File Integrity", "Integrity Test", "Verification I"),
        ),
        Level.INVENTORY: LevelText(
            "Inventory",
            "Every file is listed with its digest, and compared with what the agreement requires.",
            "All required kinds of material are there, young enough; no submodule is empty, no "
            "large file is only a pointer, instructions are present.",
            "That the material is correct, or that a program can be made from it.",
            "A required thing is absent, empty or too old; the findings name it.",
            ("File List", "Inventory and Analysis", "Verification II"),
        ),
        Level.BUILD: LevelText(
            "Trial build",
            "Every component is built by its recipe in a fresh container that has no network.",
            "The deposit alone, or with the captured files that the grade names, is enough to "
            "make the program with the named builder image.",
            "That the program is the one which is delivered to customers, that it works, or that "
            "it can be made with other tools than those of the named image.",
            "By its own recipe the deposit did not build here without help from outside; the "
            "findings say where it stopped and what was missing. It does not tell that the "
            "program cannot be built by somebody who has more than the deposit.",
            ("Compile Test", "Entry-Level Verification", "Independent Build", "Verification III"),
        ),
        Level.EQUIVALENCE: LevelText(
            "Equivalence",
            "The program is rebuilt from the recovery kit and compared with the first build and "
            "with the one that is shipped.",
            "The deposit makes the same program as the one it was compared with.",
            "That the compared program is in use anywhere, unless its hash came from there.",
            "The rebuilt program differs in more than the noise of packaging.",
            ("Binary Comparison", "Level 4"),
        ),
        Level.RUN: LevelText(
            "Run",
            "The product is started in a closed pod with restored data and asked its smoke test.",
            "The built program starts, finds its data and answers.",
            "That every function works, or that it carries the load of production.",
            "The built program did not start or did not answer as its own smoke test demands.",
            ("Full Usability", "Build and Replicate", "Cloud Deployment Verification"),
        ),
        Level.REDEPLOY: LevelText(
            "Redeployment",
            "A drill: the product is brought up anew in a clean room, watched by the beneficiary.",
            "People who have only the package brought the product up in the time that is stated.",
            "That other people, or the same in a year, would need no longer.",
            "The drill was not finished in the agreed time; the record says where it stopped.",
            ("Complete Verification", "dress rehearsal"),
        ),
    }
)

REASON_TEXTS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.SUPERSEDED: "A newer deposit of the same release line overtook it in the queue.",
        Reason.WITHDRAWN: "The vendor withdrew the deposit before it was tested.",
        Reason.CLIENT_SEALED: "Its vendor sealed it himself: received, not verifiable.",
        Reason.WAIVED: "The parties waived this test.",
        Reason.TOOLCHAIN_NOT_OFFERED: "The recipe asks for a toolchain that is not offered here.",
        Reason.NOT_BUILDABLE_HERE: "The recipe needs a system or hardware that is not here.",
        Reason.LEVEL_NOT_OFFERED: "This installation does not test at this level.",
        Reason.LOWER_LEVEL_NOT_PASSED: "A level below it did not pass.",
        Reason.LANE_CLOSED: "The deposit had been closed for good before it could be opened.",
        Reason.NOTHING_TO_BUILD: "Nothing was recognised in the deposit that could be built.",
        Reason.NOT_OPENED_HERE: "A part has a format or size that is not opened here.",
        Reason.CARRIED_FORWARD: "What a build reads was carried forward; its earlier result "
        "stands.",
        Reason.ONE_WORKER: "One worker alone says that it passed; above the trial build two with "
        "separate keys have to.",
        Reason.ENGINE_UNAVAILABLE: "The container engine of this installation did not answer.",
        Reason.SANDBOX_UNSAFE: "The sandbox of this installation did not pass its self-test.",
        Reason.STORED_BYTES_DAMAGED: "The stored bytes did not match their own digests.",
        Reason.SERVICE_FAILED: "The service itself failed while it was testing.",
    }
)

# Reasons that mean "ours": they stand with ERROR, every other one with NOT TESTED.
ERROR_REASONS = frozenset(
    {
        Reason.ENGINE_UNAVAILABLE,
        Reason.SANDBOX_UNSAFE,
        Reason.STORED_BYTES_DAMAGED,
        Reason.SERVICE_FAILED,
    }
)

# What an examination of this version can test; above it a level is "not offered".
HIGHEST_OFFERED = Level.BUILD

# A vendor who is proven buildable at this level gets the badge, whatever more was ordered.
BADGE_LEVEL = Level.BUILD

# What one worker says of these, taken over or in error, would be believed by everybody: a second
# one under a key of its own has to come to the same.
TWO_WORKERS = frozenset({Level.EQUIVALENCE, Level.RUN, Level.REDEPLOY})
WORKERS_NEEDED = 2

_LADDER: tuple[Level, ...] = tuple(Level)

# A proven failure outweighs our own error: it stays true however often we try again. After that
# our error comes before what was left out, because it may be repaired.
_WEIGHT: Mapping[Verdict, int] = MappingProxyType(
    {Verdict.PASS: 0, Verdict.NOT_TESTED: 1, Verdict.ERROR: 2, Verdict.FAIL: 3}
)


@dataclass(frozen=True)
class LevelResult:
    """The outcome at one level.

    Raises:
        ValueError: NOT TESTED or ERROR without a fitting reason, or PASS or FAIL with one.
    """

    level: Level
    verdict: Verdict
    reason: Reason | None = None
    grade: Grade | None = None

    def __post_init__(self) -> None:
        if self.verdict is Verdict.NOT_TESTED:
            fits = self.reason is not None and self.reason not in ERROR_REASONS
        elif self.verdict is Verdict.ERROR:
            fits = self.reason in ERROR_REASONS
        else:
            fits = self.reason is None
        if not fits:
            raise ValueError(f"{self.verdict} does not go with the reason {self.reason}")


def levels_up_to(highest: Level) -> tuple[Level, ...]:
    """Return the levels from the lowest to this one."""
    return _LADDER[: _LADDER.index(highest) + 1]


def highest_of(levels: Iterable[Level]) -> Level:
    """Return the highest of several levels; RECEIVED when there are none."""
    return max(levels, key=_LADDER.index, default=Level.RECEIVED)


def complete_ladder(
    tested: Sequence[LevelResult], passed_by: Mapping[Level, frozenset[str]] = MappingProxyType({})
) -> tuple[LevelResult, ...]:
    """Return one result for each level of the ladder, lowest first.

    What was not tested says why: a lower level did not pass, the level is not offered here, or
    only one worker has passed it.

    Args:
        passed_by: for each level, ids of the keys of the workers whose reports say PASS. Two
            reports of one worker are one.
    """
    results = {one.level: _confirmed(one, passed_by) for one in tested}
    complete: list[LevelResult] = []
    for level in _LADDER:
        if level in results:
            complete.append(results[level])
        elif _LADDER.index(level) > _LADDER.index(HIGHEST_OFFERED):
            complete.append(LevelResult(level, Verdict.NOT_TESTED, Reason.LEVEL_NOT_OFFERED))
        else:
            complete.append(LevelResult(level, Verdict.NOT_TESTED, Reason.LOWER_LEVEL_NOT_PASSED))
    return tuple(complete)


def workers_who_passed(
    reports: Iterable[tuple[str, Iterable[LevelResult]]],
) -> Mapping[Level, frozenset[str]]:
    """Return who passed what, from reports on the same bytes.

    Args:
        reports: pairs of a worker's key id and the results of one of its reports.
    """
    passed: dict[Level, set[str]] = {}
    for key_id, results in reports:
        for one in results:
            if one.verdict is Verdict.PASS:
                passed.setdefault(one.level, set()).add(key_id)
    return {level: frozenset(key_ids) for level, key_ids in passed.items()}


def _confirmed(result: LevelResult, passed_by: Mapping[Level, frozenset[str]]) -> LevelResult:
    alone = len(passed_by.get(result.level, frozenset())) < WORKERS_NEEDED
    if result.verdict is Verdict.PASS and result.level in TWO_WORKERS and alone:
        return LevelResult(result.level, Verdict.NOT_TESTED, Reason.ONE_WORKER)
    return result


def verdict_of(results: Iterable[LevelResult], ordered: Level) -> Verdict:
    """Return the verdict over all levels up to the one that the agreement orders.

    Args:
        results: a complete ladder.
        ordered: the level of the agreement; what lies above it weighs nothing.
    """
    below = set(levels_up_to(ordered))
    verdicts = [one.verdict for one in results if one.level in below]
    if len(verdicts) < len(below):
        return Verdict.NOT_TESTED
    return max(verdicts, key=_WEIGHT.__getitem__)


def worst_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that outweighs the others; NOT TESTED when there is none."""
    return max(verdicts, key=_WEIGHT.__getitem__, default=Verdict.NOT_TESTED)


def level_reached(results: Iterable[LevelResult]) -> Level | None:
    """Return the highest level that passed together with every level below it."""
    passed = {one.level for one in results if one.verdict is Verdict.PASS}
    reached: Level | None = None
    for level in _LADDER:
        if level not in passed:
            break
        reached = level
    return reached


def renews_badge(results: Iterable[LevelResult]) -> bool:
    """Return whether the deposit is now the last provably buildable one."""
    reached = level_reached(results)
    return reached is not None and _LADDER.index(reached) >= _LADDER.index(BADGE_LEVEL)


def meets_cadence(verdict: Verdict) -> bool:
    """Return whether a deposit with this verdict counts as one of those that are owed.

    Only PASS does. An ERROR is not the vendor's fault, and still proves nothing.
    """
    return verdict is Verdict.PASS
