"""What a second worker adds: who is asked, what he cites, how two reports add up; pure.

A deposit that one worker found buildable is examined again, from the sealed bytes, by a worker
with another report key. Each signs what it found itself. Guarantees: a second report only ever
lowers what the first said at the levels that one worker can prove, and what is not the vendor's
(an error of ours, a lane that had closed) lowers nothing: then one worker's word stands, as it
does where there is only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from builders.findings import Finding
from escrow.ground.signatures import PublicKey
from escrow.ledger.events import NAME_MARK
from escrow.verification.judging import Judgement, Verdicts
from escrow.verification.ladder import (
    BADGE_LEVEL,
    Level,
    LevelResult,
    Verdict,
    levels_up_to,
    workers_who_passed,
)

DISAGREE = "E-BUILD-WORKERS-DISAGREE"

# A queue for each worker: a second look is taken by the one that was asked, and by no other key.
_JOB = "confirm"


class Confirmation(StrEnum):
    """How many workers stand behind a passed trial build; shown, never renamed."""

    ONE_WORKER = "one-worker"
    UNDER_WAY = "under-way"
    TWO_WORKERS = "two-workers"
    DISAGREE = "workers-disagree"


CONFIRMATION_TEXTS: Mapping[Confirmation, str] = MappingProxyType(
    {
        Confirmation.ONE_WORKER: "Confirmed by one worker; a second is needed for equivalence.",
        Confirmation.UNDER_WAY: "Confirmed by one worker; a second one examines it.",
        Confirmation.TWO_WORKERS: "Two workers with separate keys found the same.",
        Confirmation.DISAGREE: "A second worker did not find what the first one had found; the "
        "worse of the two counts.",
    }
)


@dataclass(frozen=True)
class Cited:
    """The first worker's report, proven, as a second one cites it.

    Args:
        examination_id: of the first.
        worker: id of the key that signed it.
        level: the highest level that it passed together with all below.
        statements: its statements' digests, by agreement and disclosure class.
    """

    examination_id: str
    worker: str
    level: Level
    statements: Mapping[tuple[str, str], str]

    def passed_by(self, own: str) -> Mapping[Level, frozenset[str]]:
        """Return which keys passed which level, where the worker ``own`` passes it too.

        Counted is only what the asking worker passes itself (:func:`ladder.complete_ladder`).
        """
        passed = [LevelResult(level, Verdict.PASS) for level in levels_up_to(self.level)]
        return workers_who_passed([(self.worker, passed), (own, passed)])


def confirmation_job(worker: str) -> str:
    """Return the name of the jobs that a worker confirms by.

    Args:
        worker: its name in the trust root.
    """
    return f"{_JOB}-{worker.replace(NAME_MARK, '-')}"


def confirmation_key(examination_id: str) -> str:
    """Return the key of the job that looks at an examination again."""
    return f"{_JOB}-{examination_id}"


def is_confirmation(job_key: str) -> bool:
    """Return whether a job of this key is a second look."""
    return job_key.startswith(f"{_JOB}-")


def name_of(workers: Mapping[str, PublicKey], key_id: str | None) -> str | None:
    """Return the name of the worker whose report key has this id."""
    return next((name for name, key in workers.items() if key.key_id == key_id), None)


def colleague_of(workers: Mapping[str, PublicKey], key_id: str | None) -> str | None:
    """Return the worker that confirms what another found; None where there is no other.

    Each has one colleague, the next by name, so that nobody is asked twice.

    Args:
        workers: report key of each worker of the trust root, by its name.
        key_id: of the one that found it.
    """
    names = sorted(workers)
    mine = name_of(workers, key_id)
    if mine is None or len(names) == 1:
        return None
    return names[(names.index(mine) + 1) % len(names)]


def is_worth_confirming(level: str | None) -> bool:
    """Return whether a first examination reached what a second one is made for."""
    return level is not None and BADGE_LEVEL in levels_up_to(Level(level))


def confirmation_of(level: str | None, second: str | None, *, is_asked: bool) -> Confirmation:
    """Return how a passed trial build stands.

    Args:
        level: that the second worker reached.
        second: verdict of the second worker, None without one.
        is_asked: whether a second examination was begun.
    """
    if second == Verdict.FAIL:
        return Confirmation.DISAGREE
    if is_worth_confirming(level):
        return Confirmation.TWO_WORKERS
    return Confirmation.UNDER_WAY if is_asked and second is None else Confirmation.ONE_WORKER


def combined(first: str, second: str | None) -> str:
    """Return the verdict of two reports on one deposit: a failure that either found stands."""
    return Verdict.FAIL if second == Verdict.FAIL else first


def with_disagreement(verdicts: Verdicts, cited: Cited) -> Verdicts:
    """Return a second worker's verdicts, with the finding that they are not the first's."""
    if verdicts.vendor.verdict is not Verdict.FAIL:
        return verdicts
    facts = {"first": cited.worker[:16], "level": cited.level}
    finding = Finding(DISAGREE, facts)
    return Verdicts(
        _finding(verdicts.vendor, finding),
        tuple(_finding(one, finding) for one in verdicts.under_each),
    )


def _finding(judgement: Judgement, finding: Finding) -> Judgement:
    findings: Iterable[Finding] = (*judgement.findings, finding)
    return Judgement(judgement.terms, judgement.ordered, tuple(findings), judgement.ladder)
