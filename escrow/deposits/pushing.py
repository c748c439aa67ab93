"""One push from its first byte to its answer; knows git's wire, and nothing of HTTP.

The plan, in this order: (1) read the commands and judge them by the product's terms; (2) let git
receive into a fresh repository, passing its progress on and keeping its report; (3) judge the
trees; (4) let the intake seal, store, log and acknowledge; (5) only then say which refs were
taken. When (4) fails the report is rewritten, so that nobody believes in a deposit that is not
there, nor misses one that is (:mod:`push_answers`). All refs are taken or none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from escrow.deposits import push_answers
from escrow.deposits.errors import (
    DepositUnfinished,
    PushBroken,
    PushMalformed,
    PushRefused,
    PushUnsure,
    TreeForbidden,
)
from escrow.deposits.git import BundleStream, ReceiveRepository
from escrow.deposits.git_confinement import GitConfinement
from escrow.deposits.git_trees import examine_push
from escrow.deposits.git_wire import (
    SIGN_OF_LIFE,
    AnswerReader,
    CommandReader,
    PushCommands,
    PushReport,
    remote_lines,
)
from escrow.deposits.push_answers import Place, TakenPush, size_text
from escrow.deposits.refs import check_push
from escrow.deposits.registration import RegisteredRepository
from escrow.ground.errors import EscrowError, InvalidInput, NotFound, Refused
from escrow.ground.identifiers import TokenId, new_id

# Scratch is memory: this many packs may lie in it at once, further pushes wait their turn.
RECEIVES_AT_ONCE = 4

# How often a client that waits for us hears that we live; proxies cut silent lines after 60 s.
LIFE_SECONDS = 5.0

# A client whose push is refused may send the rest, so that it reads the reason; not for ever.
_DRAIN_FACTOR = 2

FOLDER_PREFIX = "push_"

_log = logging.getLogger("escrow.deposits.push")


@dataclass(frozen=True)
class PushTarget:
    """Where a push goes, and in whose name.

    Attributes:
        vendor: the vendor's slug, as in the address.
        repository: with its product and the terms of it.
        token_id: the credential in use.
        actor: who pushes, for the ledger.
    """

    vendor: str
    repository: RegisteredRepository
    token_id: TokenId
    actor: str

    @property
    def address(self) -> str:
        """Vendor and product as people write them."""
        return f"{self.vendor}/{self.repository.product.spec.slug}"


class PushIntake(Protocol):
    """Whoever makes a deposit of what git accepted; blocking.

    Duties: :meth:`take_push` returns only when the deposit is durable, logged and receipted. When
    it raises, nothing was acknowledged, and the error says what is there: see its Raises.
    """

    def check_welcome(self, target: PushTarget) -> None:
        """Refuse early what would be refused after the whole pack was sent."""
        ...

    def take_push(
        self,
        target: PushTarget,
        bundle: BundleStream,
        folder: Path,
        tell: Callable[[str], None],
    ) -> TakenPush:
        """Seal, store, number, log and receipt the bundle.

        Args:
            folder: scratch of this push, for what a sealing must remember.
            tell: says a line to the person who pushes; callable from any thread.

        Raises:
            DepositUnfinished: stored and logged; it is completed without anybody.
            PushUnsure: it could not be found out whether it is stored.
            Anything else: nothing is stored.
        """
        ...

    def note_acknowledged(self, taken: TakenPush) -> None:
        """Remember that the sender was told: until then the same push means the same deposit."""
        ...


@dataclass
class PushReception:
    """Answers pushes; one for the process.

    Attributes:
        intake: makes the deposits.
        scratch: folder for repositories; memory, or encrypted with a key that is thrown away.
        confinement: how git is run.
        deposit_url: where a person follows a deposit, from ``vendor/product`` and its number.
    """

    intake: PushIntake
    scratch: Path
    confinement: GitConfinement
    deposit_url: Callable[[str, int], str]
    _places: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(RECEIVES_AT_ONCE), repr=False
    )
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, repr=False
    )

    async def answer(self, target: PushTarget, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the answer to a push while its body is read.

        Raises, before anything was yielded:
            PushMalformed: the body is no push.
            PushTooOld: the client could not be told the outcome.
            Whatever the body's iterator raises.
        """
        head = CommandReader()
        commands = await _read_commands(head, body)
        if commands.is_probe:
            return
        commands.check_answerable()
        pack = _bounded(_rest(head.rest, body), self.confinement.limits.pack_bytes)
        product = target.repository.product
        try:
            check_push(commands, product.spec.refs, snapshot=product.spec.history == "snapshot")
        except PushRefused as refused:
            async for _ in pack:
                pass
            yield push_answers.refused(refused, refused.refs)
            return
        async with self._places:
            async for piece in self._receive(target, commands, pack):
                yield piece

    async def _receive(
        self, target: PushTarget, commands: PushCommands, pack: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        repository = ReceiveRepository(self.scratch / new_id("push"), self.confinement)
        try:
            repository.create()
            answer = AnswerReader()
            async for data in repository.receive(commands, pack):
                if passed := answer.feed(data):
                    yield passed
            report = _read_report(answer, repository)
            if report.is_accepted:
                turn = self._turns.setdefault(target.repository.product.id, asyncio.Lock())
                async with turn:
                    async for piece in self._take(target, commands, repository):
                        yield piece
            else:
                yield push_answers.refused_by_git(report, commands)
        finally:
            # Not awaited: this has to happen also while the task is being cancelled.
            repository.destroy()

    async def _take(
        self, target: PushTarget, commands: PushCommands, repository: ReceiveRepository
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str] = asyncio.Queue()

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, line)

        def work() -> TakenPush:
            head = examine_push(repository, commands.updates)
            bundle = BundleStream(repository.pack_path(), commands.updates, head)
            return self.intake.take_push(target, bundle, repository.folder, tell)

        taking = loop.run_in_executor(None, work)
        try:
            async for line in _lines_until(lines, taking):
                yield remote_lines(line) if line else SIGN_OF_LIFE
            yield self._outcome(target, commands, taking)
            # Whoever hears us asks for more only once the report is on its way. It is noted before
            # the answer ends, and git waits for that end: its next push finds the note.
            if taking.exception() is None:
                await self._note_acknowledged(taking.result())
        finally:
            # The thread still reads the repository; it is not destroyed under its hands.
            await _settled(taking)

    async def _note_acknowledged(self, taken: TakenPush) -> None:
        try:
            await asyncio.to_thread(self.intake.note_acknowledged, taken)
        except Exception:
            # The report is out. Without the note, the same push again is this deposit again.
            _log.exception("it could not be noted that deposit %s was told of", taken.deposit_id)

    def _outcome(
        self, target: PushTarget, commands: PushCommands, taking: asyncio.Future[TakenPush]
    ) -> bytes:
        refs = [update.ref for update in commands.updates]
        problem = taking.exception()
        if problem is None:
            taken = taking.result()
            return push_answers.complete(taken, self._place(target, taken.number), refs)
        if isinstance(problem, TreeForbidden):
            return push_answers.refused_tree(problem, refs)
        if isinstance(problem, InvalidInput | Refused | NotFound):
            return push_answers.refused(problem, dict.fromkeys(refs, problem.reason))
        if isinstance(problem, DepositUnfinished):
            _log.warning("a push is stored, and not complete", exc_info=problem)
            place = self._place(target, problem.stored.number)
            return push_answers.not_complete(problem, place)
        _log.error("a push could not be stored", exc_info=problem)
        if isinstance(problem, PushUnsure):
            return push_answers.unsure(problem)
        ours = problem if isinstance(problem, EscrowError) else _unknown_failure()
        return push_answers.not_stored(ours, refs)

    def _place(self, target: PushTarget, number: int) -> Place:
        return Place(target.address, self.deposit_url(target.address, number))


async def _read_commands(head: CommandReader, body: AsyncIterator[bytes]) -> PushCommands:
    async for chunk in body:
        if commands := head.feed(chunk):
            return commands
    raise PushMalformed("The push ends before its commands do.", "Push again.")


async def _rest(first: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in body:
        yield chunk


async def _bounded(chunks: AsyncIterator[bytes], pack_bytes: int) -> AsyncIterator[bytes]:
    """Cut the line of a client that goes on and on; git itself refuses a pack over its limit."""
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > pack_bytes * _DRAIN_FACTOR:
            raise PushMalformed(
                f"The push is longer than {size_text(pack_bytes)}.",
                "Deposit a bundle of the repository, which can be resumed: 'escrow deposit send "
                "VENDOR/PRODUCT --source .'.",
            )
        yield chunk


async def _lines_until(
    lines: asyncio.Queue[str], done: asyncio.Future[TakenPush]
) -> AsyncIterator[str | None]:
    """Yield lines as they are told, None as a sign of life, until the work is done."""
    while not done.done():
        line = asyncio.ensure_future(lines.get())
        waiting: set[asyncio.Future[Any]] = {line, done}
        await asyncio.wait(waiting, timeout=LIFE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if line.done():
            yield line.result()
        else:
            line.cancel()
            if not done.done():
                yield None
    while not lines.empty():
        yield lines.get_nowait()


async def _settled(done: asyncio.Future[TakenPush]) -> None:
    """Wait for the work whatever happens to the waiter, who is cancelled afterwards if at all."""
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as signal:
            cancelled = signal
    # Read, so that an outcome that nobody heard is not reported as lost.
    done.exception()
    if cancelled:
        raise cancelled


def _read_report(answer: AnswerReader, repository: ReceiveRepository) -> PushReport:
    try:
        return PushReport.parse(answer.report)
    except PushMalformed:
        _log.error("git left no report: %s %s", answer.fatal, repository.last_words())
        return PushReport("git ended early, push again", {})


def _unknown_failure() -> PushBroken:
    return PushBroken(
        "The service met an error of its own.",
        "Nothing of this push was stored; push again, and tell the operator if it stays.",
    )
