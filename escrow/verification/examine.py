"""The job that verifies a deposit: wait for its headers, examine, publish, close.

Guarantees: every step may run twice, or be cut off anywhere, and there is one report and nothing
left behind. The row's attempt number is the fence: an attempt that was taken over writes nothing.
Only ids pass through the engine; keys, plaintext and findings live and die inside one step. An
error of ours is tried again after a rest, by a job of its own, and ends in the verdict ERROR after
a named count. It does not decide any verdict: :mod:`judging` does.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from builders.errors import BuilderError
from escrow.engine.contexts import JobContext
from escrow.engine.errors import StepFailed
from escrow.engine.jobs import JobFunction
from escrow.engine.queue import JobQueue
from escrow.evidence.statements import Stamp
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import InvalidInput, NotFound, Tampered
from escrow.ground.identifiers import DepositId, ExaminationId
from escrow.ground.signatures import Signer
from escrow.ledger.appending import Scribe
from escrow.ledger.proofs import proof_of
from escrow.vault.age import Identity
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import LaneClosed
from escrow.vault.keyholder import Keyholder
from escrow.verification import records
from escrow.verification.attempt import (
    Attempt,
    Attempter,
    Seen,
    judge_case,
    judge_unopened,
    outcome_of,
    reason_of,
)
from escrow.verification.citing import cite_first
from escrow.verification.concluding import Concluder
from escrow.verification.confirming import (
    Cited,
    colleague_of,
    confirmation_job,
    confirmation_key,
    is_confirmation,
    is_worth_confirming,
    name_of,
    with_disagreement,
)
from escrow.verification.errors import (
    FirstReportUnproven,
    HeadersNotWritten,
    ProofsNotReady,
    TakenOver,
)
from escrow.verification.examinations import (
    AT_REST,
    CONTINUATION_REST_SECONDS,
    Act,
    State,
    is_concluded,
    rest_seconds,
)
from escrow.verification.gathering import Case, gather_case
from escrow.verification.images import ImageKeeper
from escrow.verification.judging import Verdicts
from escrow.verification.kits import KitMaker
from escrow.verification.ladder import Reason
from escrow.verification.log import LiveLog, delete_live_log, log_folder
from escrow.verification.progress import (
    begin_attempt,
    has_attempts_left,
    interrupt,
    is_overtaken,
    move,
    queue_confirmation,
    queue_examination,
)
from escrow.verification.runner import Runner

JOB = "verify"

# The headers are written within a second of the deposit; then half a minute is waited for them.
_HEADERS_ATTEMPTS = 8
_HEADERS_BACKOFF_SECONDS = 0.25
# Keyholder or database are restarted within a minute; after that the job rests and comes again.
_OWN_ATTEMPTS = 6
_OWN_BACKOFF_SECONDS = 1.0

_log = logging.getLogger("escrow.verification")


class Jobs(JobQueue, Protocol):
    """The part of :class:`~escrow.engine.jobs.JobEngine` that an examiner uses."""

    def define(self, name: str, function: JobFunction) -> None:
        """Say what a job of this name does."""
        ...

    def define_elsewhere(self, name: str) -> None:
        """Say that jobs of this name are done by another process."""
        ...


@dataclass(frozen=True)
class Tools:
    """Everything that an examiner works with; put together once, by the worker's assembly.

    Args:
        engine: the job is defined in it and its continuations are enqueued in it.
        scribe: of the role ``worker``.
        signer: the report key: the key of the role ``worker`` in the trust root.
        worker: the age identity whose recipient is pinned in the keyholder's settings.
        scratch: folder for live logs, in memory, shared with whoever relays them.
        stamp: whose statements these are.
        trust_root: names the workers, and the keys by which their reports are believed.
    """

    database: Database
    engine: Jobs
    clock: Clock
    scribe: Scribe
    signer: Signer
    keyholder: Keyholder
    worker: Identity
    blobs: BlobStore
    runner: Runner
    scratch: Path
    stamp: Stamp
    trust_root: TrustRoot


class Examiner:
    """Runs the job ``verify``, and this worker's own job ``confirm-…`` for a second look."""

    def __init__(self, tools: Tools) -> None:
        self._on = tools
        self._attempter = Attempter(
            tools.database,
            tools.scribe,
            tools.keyholder,
            tools.worker,
            tools.blobs,
            tools.runner,
            tools.clock,
        )
        self._kits = KitMaker(tools.runner, ImageKeeper(tools.database, tools.blobs, tools.clock))
        self._concluder = Concluder(
            tools.database, tools.scribe, tools.signer, tools.keyholder, tools.blobs, tools.stamp
        )

    def define(self) -> None:
        """Define the jobs; before the engine starts."""
        engine = self._on.engine
        engine.define(JOB, self.run)
        for name, key in self._on.trust_root.workers.items():
            if key == self._on.signer.public:
                engine.define(confirmation_job(name), self.run_second)
            else:
                engine.define_elsewhere(confirmation_job(name))

    def run(self, context: JobContext, arguments: dict[str, str]) -> None:
        """Verify one deposit, or leave the rest of it to a continuation.

        Args:
            arguments: ``deposit_id``.
        """
        self._run_or_rest(context, DepositId(arguments["deposit_id"]), second=False)

    def run_second(self, context: JobContext, arguments: dict[str, str]) -> None:
        """Look again at a deposit that another worker found buildable; as :meth:`run`.

        Args:
            arguments: ``deposit_id``.
        """
        self._run_or_rest(context, DepositId(arguments["deposit_id"]), second=True)

    def _run_or_rest(self, context: JobContext, deposit_id: DepositId, *, second: bool) -> None:
        try:
            self._run(context, deposit_id, second=second)
        except StepFailed as failed:
            _log.error("job %s rests: %s", context.key, failed.cause)
            context.step("rest", lambda: self._rest(context.key, deposit_id))

    def _run(self, context: JobContext, deposit_id: DepositId, *, second: bool) -> None:
        examination_id = context.step(
            "queue",
            lambda: self.queue(deposit_id, second=second),
            attempts=_HEADERS_ATTEMPTS,
            backoff_seconds=_HEADERS_BACKOFF_SECONDS,
        )
        if not examination_id:
            return

        def step(name: str, function: Callable[[], str]) -> str:
            return context.step(
                name, function, attempts=_OWN_ATTEMPTS, backoff_seconds=_OWN_BACKOFF_SECONDS
            )

        word = step(
            "examine",
            lambda: self.examine(
                deposit_id, context.key, context.check_still_wanted, second=second
            ),
        )
        if word != "concluded":
            return
        step("publish", lambda: self.publish(ExaminationId(examination_id)))
        step("close", lambda: self.close(ExaminationId(examination_id)))

    def queue(self, deposit_id: DepositId, *, second: bool = False) -> str:
        """Return the id of the deposit's examination, once its headers are written; '' for none.

        Args:
            second: this worker confirms what another found.

        Raises:
            HeadersNotWritten: not yet.
        """
        with self._on.database.writing() as session:
            try:
                case = gather_case(session, deposit_id)
            except NotFound as problem:
                _log.error("nothing to verify: %s", problem)
                return ""
            row = self._row_of(session, case, second=second)
        if row is None:
            return ""
        if not case.has_headers:
            raise HeadersNotWritten
        return row.id

    def _row_of(
        self, session: Session, case: Case, *, second: bool
    ) -> records.ExaminationRow | None:
        if second:
            return queue_confirmation(session, case.deposit, self._on.clock.now())
        return queue_examination(session, case.deposit)

    def examine(
        self,
        deposit_id: DepositId,
        key: str,
        check_wanted: Callable[[], None],
        *,
        second: bool = False,
    ) -> str:
        """Bring the examination to its conclusion, or make one attempt at it.

        Args:
            key: of the job; its continuation is named after it.
            check_wanted: called between the stages; raises when the job is to end.
            second: this worker confirms what another found.

        Returns:
            ``concluded``: the reports are signed; ``resting``: another attempt comes later;
            ``taken-over``: somebody else is at it; ``unproven``: there is nothing to confirm.
        """
        with self._on.database.reading() as session:
            case = gather_case(session, deposit_id)
        with self._on.database.writing() as session:
            row = self._row_of(session, case, second=second)
            if row is None:
                return "unproven"
            if is_concluded(State(row.state)):
                return "concluded"
            try:
                cites = self._cites(session, row)
            except (Tampered, InvalidInput) as problem:
                # Not retried: no try makes it true. The lane ends by its own time.
                _log.error("examination %s cites nothing: %s", row.id, problem)
                return "unproven"
            now = self._on.clock.now()
            left_over = Attempt(row.id, row.attempt, row.begun_at or now, cites)
            is_withdrawn = case.is_withdrawn and State(row.state) in AT_REST
            passed_over = _passed_over(case, is_withdrawn, is_overtaken(session, row, case, now))
            if passed_over or not has_attempts_left(row):
                attempt = None
            else:
                number = begin_attempt(session, self._on.scribe, row, now)
                attempt = Attempt(row.id, number, row.begun_at or now, cites)
        if passed_over:
            return self._conclude_unopened(case, left_over, Act.PASS_OVER, passed_over)
        if attempt is None:
            # The last attempt took its process down, so nobody is left to say why.
            return self._conclude_unopened(case, left_over, Act.GIVE_UP, Reason.SERVICE_FAILED)
        return self._attempt(case, attempt, key, check_wanted)

    def _cites(self, session: Session, row: records.ExaminationRow) -> Cited | None:
        """Return the proven report that a second look is beside; None for a first one."""
        if not row.confirms:
            return None
        first = records.examination_by_id(session, ExaminationId(row.confirms))
        if first is None:
            raise FirstReportUnproven(row.confirms)
        return cite_first(session, self._on.trust_root, self._on.signer.public.key_id, first)

    def _attempt(
        self, case: Case, attempt: Attempt, key: str, check_wanted: Callable[[], None]
    ) -> str:
        log = LiveLog(log_folder(self._on.scratch, attempt.examination_id))
        try:
            seen = self._attempter.attempt(case, attempt, log, check_wanted)
            self._conclude(case, attempt, seen, log)
        except TakenOver:
            return "taken-over"
        except LaneClosed:
            return self._lane_closed(case, attempt)
        except Exception as problem:
            # The boundary of a worker: whatever it was, it is ours, and a person can look it up.
            _log.exception("examination %s, attempt %d", attempt.examination_id, attempt.number)
            log.note("the service stopped for a reason of its own")
            return self._after_error(key, case, attempt, reason_of(problem))
        finally:
            log.close()
        delete_live_log(log_folder(self._on.scratch, attempt.examination_id))
        return "concluded"

    def _conclude(self, case: Case, attempt: Attempt, seen: Seen, log: LiveLog) -> None:
        now = self._on.clock.now()
        outcome = outcome_of(attempt, seen, dict(self._on.runner.isolation), now)
        outcome = replace(outcome, kit=self._kits.make(case, seen))
        act = Act.CONCLUDE_UNBUILT if seen.result is None else Act.CONCLUDE
        verdicts = self._judge(case, seen, attempt.cites)
        self._concluder.conclude(act, case, outcome, verdicts, log.path, now)
        log.end()

    def _judge(self, case: Case, seen: Seen, cites: Cited | None) -> Verdicts:
        if cites is None:
            return judge_case(case, seen)
        passed_by = cites.passed_by(self._on.signer.public.key_id)
        return with_disagreement(judge_case(case, seen, passed_by), cites)

    def _lane_closed(self, case: Case, attempt: Attempt) -> str:
        """A lane that ran out while we kept failing is our error; else it is only too late."""
        if attempt.number > 1:
            return self._conclude_unopened(case, attempt, Act.GIVE_UP, Reason.SERVICE_FAILED)
        return self._conclude_unopened(case, attempt, Act.PASS_OVER, Reason.LANE_CLOSED)

    def _after_error(self, key: str, case: Case, attempt: Attempt, reason: Reason) -> str:
        """Rest before another attempt, or give up: too often, or damage that no retry mends."""
        seconds = rest_seconds(attempt.number)
        if seconds is None or reason is Reason.STORED_BYTES_DAMAGED:
            return self._conclude_unopened(case, attempt, Act.GIVE_UP, reason)
        try:
            with self._on.database.writing() as session:
                now = self._on.clock.now()
                interrupt(
                    session,
                    self._on.scribe,
                    attempt.examination_id,
                    attempt.number,
                    reason,
                    now,
                    seconds,
                )
                self._enqueue_next(session, key, case.deposit.id, case.deposit.product_id, seconds)
        except TakenOver:
            return "taken-over"
        return "resting"

    def _conclude_unopened(self, case: Case, attempt: Attempt, act: Act, reason: Reason) -> str:
        now = self._on.clock.now()
        outcome = outcome_of(attempt, Seen(), dict(self._on.runner.isolation), now)
        folder = log_folder(self._on.scratch, attempt.examination_id)
        verdicts = judge_unopened(case, reason)
        try:
            log = folder / "build.log"
            self._concluder.conclude(act, case, outcome, verdicts, log, now)
        except TakenOver:
            return "taken-over"
        delete_live_log(folder)
        return "concluded"

    def publish(self, examination_id: ExaminationId) -> str:
        """Have the ledger take the reports in, and keep the proofs beside them.

        Raises:
            ProofsNotReady: the ledger has not got that far.
            Unavailable: the keyholder cannot be reached.
        """
        self._on.keyholder.sequence()
        with self._on.database.writing() as session:
            for report in records.reports_of_examination(session, examination_id):
                if report.proof is not None:
                    continue
                proof = proof_of(session, report.entry_sha256)
                if proof is None:
                    raise ProofsNotReady
                report.proof = proof.to_json()
                if report.document is not None:
                    report.document = {**report.document, "ledger": report.proof}
                records.add(session, report)
        return "published"

    def close(self, examination_id: ExaminationId) -> str:
        """Close the lane, leave nothing behind, and write the end.

        Where another worker is to look again the lane stays open for it, and is closed by its end;
        a colleague that never comes leaves it to the keyholder, which closes it by the clock.

        Raises:
            Unavailable: the keyholder cannot be reached.
        """
        with self._on.database.reading() as session:
            row = records.examination_by_id(session, examination_id)
        if row is None or row.state == State.DONE:
            return "closed"
        colleague = self._colleague_for(row)
        if colleague is None:
            self._on.keyholder.close_lane(DepositId(row.deposit_id))
        with contextlib.suppress(BuilderError):
            # A dead engine holds nothing back: the sweep at the next start comes by again.
            self._on.runner.sweep(examination_id)
        delete_live_log(log_folder(self._on.scratch, examination_id))
        with self._on.database.writing() as session, contextlib.suppress(TakenOver):
            data = {"confirmed_by": colleague} if colleague else {}
            done = move(session, self._on.scribe, examination_id, row.attempt, Act.FINISH, data)
            done.finished_at = self._on.clock.now()
            records.add(session, done)
            if colleague is not None:
                self._on.engine.enqueue(
                    session,
                    confirmation_job(colleague),
                    confirmation_key(row.id),
                    {"deposit_id": row.deposit_id},
                    partition=row.product_id,
                )
        return "closed"

    def _colleague_for(self, row: records.ExaminationRow) -> str | None:
        """Return who looks again at a deposit that was found buildable; None for nobody."""
        if row.confirms or not is_worth_confirming(row.level):
            return None
        return colleague_of(self._on.trust_root.workers, row.worker)

    def _rest(self, key: str, deposit_id: DepositId) -> str:
        with self._on.database.writing() as session:
            product_id = gather_case(session, deposit_id).deposit.product_id
            self._enqueue_next(session, key, deposit_id, product_id, CONTINUATION_REST_SECONDS)
        return "resting"

    def _enqueue_next(
        self, session: Session, key: str, deposit_id: str, product_id: str, seconds: float
    ) -> None:
        """Enqueue the continuation of a job; of one job there is one, however often this runs."""
        name = JOB
        if is_confirmation(key):
            workers = self._on.trust_root.workers
            own = name_of(workers, self._on.signer.public.key_id)
            name = confirmation_job(own or "")
        self._on.engine.enqueue(
            session,
            name,
            next_key(key),
            {"deposit_id": deposit_id},
            delay_seconds=seconds,
            partition=product_id,
        )


def _passed_over(case: Case, is_withdrawn: bool, is_overtaken: bool) -> Reason | None:
    """Return why a deposit is not opened at all; None where it is."""
    if is_withdrawn:
        return Reason.WITHDRAWN
    # Before "superseded": that it could never be tested is the stronger word.
    if case.is_client_sealed:
        return Reason.CLIENT_SEALED
    return Reason.SUPERSEDED if is_overtaken else None


def next_key(key: str) -> str:
    """Return the key of a job's continuation: ``verify-dep_…``, ``verify-dep_…:2``, ``…:3``."""
    first, colon, number = key.rpartition(":")
    return f"{first}:{int(number) + 1}" if colon and number.isdecimal() else f"{key}:2"
