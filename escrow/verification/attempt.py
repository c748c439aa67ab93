"""One attempt at an examination: open, inspect, plan, build; plaintext lives inside it only.

Guarantees: the file keys and the opened bench exist only while :meth:`Attempter.attempt` runs; what
it returns are values about the deposit. Whatever a deposit does ends in findings. What leaves by
an exception is ours, and :func:`reason_of` says which reason of ERROR it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from builders.errors import EngineUnavailable, ImageNotBuilt, SandboxUnsafe
from builders.findings import Finding
from builders.orders import Inspection, TrialBuildPlan, TrialBuildResult
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.errors import Tampered
from escrow.ground.identifiers import DepositId
from escrow.ledger.appending import Scribe
from escrow.vault.age import Identity
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import BlobMissing
from escrow.vault.keyholder import Keyholder
from escrow.verification.checks import (
    Required,
    check_materials,
    check_parts,
    check_sealed_for,
    empty_parts,
    merge_required,
    unbuilt_reason,
    without_unopened,
)
from escrow.verification.confirming import Cited
from escrow.verification.errors import ExaminationInterrupted
from escrow.verification.examinations import Act
from escrow.verification.gathering import Case
from escrow.verification.judging import (
    Judgement,
    Terms,
    Verdicts,
    judge_examined,
    judge_unexamined,
)
from escrow.verification.ladder import Level, Reason
from escrow.verification.log import LiveLog
from escrow.verification.opening import open_file_keys, part_inputs
from escrow.verification.outcomes import Outcome
from escrow.verification.progress import move
from escrow.verification.runner import Bench, Runner


@dataclass(frozen=True)
class Attempt:
    """Which attempt at which examination this is.

    Args:
        cites: the first worker's report, where this is a second look.
    """

    examination_id: str
    number: int
    begun_at: datetime
    cites: Cited | None = None


@dataclass(frozen=True)
class Seen:
    """What an attempt saw of a deposit; ``result`` is None where nothing was built."""

    findings: tuple[Finding, ...] = ()
    inspection: Inspection | None = None
    plan: TrialBuildPlan | None = None
    result: TrialBuildResult | None = None


@dataclass(frozen=True)
class Attempter:
    """What is needed to open and build; made once by whoever assembles the worker.

    Args:
        worker: the identity whose recipient is pinned in the keyholder's settings.
    """

    database: Database
    scribe: Scribe
    keyholder: Keyholder
    worker: Identity
    blobs: BlobStore
    runner: Runner
    clock: Clock

    def attempt(
        self, case: Case, attempt: Attempt, log: LiveLog, check_wanted: Callable[[], None]
    ) -> Seen:
        """Open a deposit from its sealed bytes and find out whether it builds.

        Args:
            check_wanted: called between the stages; raises when the job is to end.

        Raises:
            TakenOver: another attempt has the examination.
            BuilderError, EscrowError: ours; see :func:`reason_of`.
        """
        if not self.runner.is_proven:
            # Said before the wait: after a start it takes a while, and nothing else is to be seen.
            log.note("waiting: the sandbox tests itself before anything is opened in it")
        self.runner.check_safe()
        # Whatever a dead worker left of this examination: two must not build side by side.
        self.runner.sweep(attempt.examination_id)
        opened = [part for part in case.deposit.parts if part.is_opened]
        if not opened:
            self._move(attempt, Act.TAKE_INVENTORY)
            return Seen()
        sealed_keys = self.keyholder.open_for_verification(DepositId(case.deposit.id))
        keys = open_file_keys(sealed_keys, self.worker, opened)
        self._move(attempt, Act.TAKE_INVENTORY)
        check_wanted()
        with self.runner.bench(attempt.examination_id) as bench:
            log.note(f"attempt {attempt.number}: opening {len(opened)} part(s)")
            inspection, found = bench.inspect(part_inputs(self.blobs, opened, keys))
            # From here on the plaintext is in the bench alone.
            keys.clear()
            check_wanted()
            has_source = unbuilt_reason(case.deposit.parts) is not Reason.CARRIED_FORWARD
            return self._build(bench, attempt, inspection, found, has_source, log)

    def _build(
        self,
        bench: Bench,
        attempt: Attempt,
        inspection: Inspection,
        found: Sequence[Finding],
        has_source: bool,
        log: LiveLog,
    ) -> Seen:
        log.note(f"inventory: {sum(part.files for part in inspection.parts)} file(s)")
        if not has_source:
            log.note("the source was carried forward; its earlier result stands")
            return Seen(tuple(found), inspection)
        plan = bench.plan(inspection)
        findings = (*found, *plan.findings)
        if not plan.components:
            log.note("nothing can be built here")
            return Seen(findings, inspection, plan)
        self._move(attempt, Act.BEGIN_BUILD, {"components": len(plan.components)})
        result = bench.build(plan, log.write)
        if result.verdict == "error":
            raise ExaminationInterrupted
        built = [*result.findings, *(f for one in result.components for f in one.findings)]
        return Seen(_each_once((*findings, *built)), inspection, plan, result)

    def _move(self, attempt: Attempt, act: Act, data: dict[str, object] | None = None) -> None:
        with self.database.writing() as session:
            move(session, self.scribe, attempt.examination_id, attempt.number, act, data)


def judge_case(
    case: Case,
    seen: Seen,
    passed_by: Mapping[Level, frozenset[str]] = MappingProxyType({}),
) -> Verdicts:
    """Return the judgements over what was seen, under each agreement and over all.

    Args:
        passed_by: which workers' keys passed which level, where this is a second look.
    """
    parts, unbuilt = case.deposit.parts, unbuilt_reason(case.deposit.parts)
    empty = empty_parts(seen.inspection) if seen.inspection else frozenset()
    shared = [*without_unopened(seen.findings, parts), *check_parts(parts, case.proven)]

    def judge(
        terms: Terms | None, ordered: Level, materials: Sequence[Required], own: list[Finding]
    ) -> Judgement:
        missed = check_materials(parts, materials, empty, case.deposit.sealed_at)
        findings = _each_once([*shared, *missed, *own])
        return judge_examined(terms, ordered, findings, seen.result, unbuilt, passed_by)

    under_each = [
        judge(
            one.terms,
            one.terms.ordered,
            merge_required(case.owed, one.materials),
            check_sealed_for(parts, one.sealed_parts),
        )
        for one in case.agreements
    ]
    found_by_any = [finding for one in under_each for finding in one.findings]
    return Verdicts(judge(None, case.ordered, case.owed, found_by_any), tuple(under_each))


def judge_unopened(case: Case, reason: Reason) -> Verdicts:
    """Return the judgements over a deposit that was not examined, for one reason."""
    under_each: list[Judgement] = [
        judge_unexamined(one.terms, one.terms.ordered, (), reason) for one in case.agreements
    ]
    return Verdicts(judge_unexamined(None, case.ordered, (), reason), tuple(under_each))


def outcome_of(
    attempt: Attempt, seen: Seen, isolation: dict[str, str], finished_at: datetime
) -> Outcome:
    """Return what the reports say was done."""
    return Outcome(
        attempt.examination_id,
        attempt.number,
        attempt.begun_at,
        finished_at,
        isolation,
        seen.inspection,
        seen.plan,
        seen.result,
        confirms=attempt.cites,
    )


def reason_of(problem: Exception) -> Reason:
    """Return which reason of ours an error is."""
    match problem:
        case SandboxUnsafe():
            return Reason.SANDBOX_UNSAFE
        case EngineUnavailable() | ImageNotBuilt() | ExaminationInterrupted():
            return Reason.ENGINE_UNAVAILABLE
        case Tampered() | BlobMissing():
            return Reason.STORED_BYTES_DAMAGED
        case _:
            return Reason.SERVICE_FAILED


def _each_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings without exact repetitions, in order."""
    once = {(one.code, one.component, tuple(sorted(one.facts.items()))): one for one in findings}
    return tuple(once.values())
