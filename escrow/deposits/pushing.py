"""One push from its first byte to its answer; knows git's wire, and nothing of HTTP.

The plan, in this order: (1) read the commands and judge them by the product's terms; (2) let git
receive into a fresh repository, passing its progress on and keeping its report; (3) judge the
trees; (4) let the intake seal, store, log and acknowledge; (5) only then say which refs were
taken. When (4) fails the report is rewritten, so the client shows a rejection and nobody believes
in a deposit that is not there. All refs are taken or none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from escrow.deposits.errors import (
    DepositUnfinished,
    PushBroken,
    PushMalformed,
    PushRefused,
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
from escrow.deposits.refs import ALL_OR_NONE, check_push
from escrow.deposits.registration import RegisteredRepository
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import EscrowError, InvalidInput, NotFound, Refused
from escrow.ground.identifiers import DepositId, TokenId, new_id

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


@dataclass(frozen=True)
class TakenPush:
    """A push that is sealed, stored, logged and receipted."""

    deposit_id: DepositId
    number: int
    objects: int
    size_bytes: int
    pack_sha256: Sha256Hex


class PushIntake(Protocol):
    """Whoever makes a deposit of what git accepted; blocking.

    Duties: :meth:`take_push` returns only when the deposit is durable, logged and receipted. When
    it raises, nothing was acknowledged and the deposit is not sealed, or will be completed.
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
        """
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
            yield _refusal(refused, refused.refs)
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
                yield _gits_refusal(report, commands)
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
        finally:
            # The thread still reads the repository; it is not destroyed under its hands.
            await _settled(taking)

    def _outcome(
        self, target: PushTarget, commands: PushCommands, taking: asyncio.Future[TakenPush]
    ) -> bytes:
        refs = [update.ref for update in commands.updates]
        problem = taking.exception()
        if problem is None:
            return (
                self._acceptance(target, taking.result())
                + PushReport("ok", dict.fromkeys(refs)).encode()
            )
        if isinstance(problem, TreeForbidden):
            # The first place stands in the reason.
            lines = [f"Also {sentence}" for sentence in problem.problems[1:]]
            reasons = dict.fromkeys(refs, "the tree holds what cannot be deposited")
            return _refusal(problem, reasons, *lines)
        if isinstance(problem, InvalidInput | Refused | NotFound):
            return _refusal(problem, dict.fromkeys(refs, problem.reason))
        _log.error("a push could not be stored", exc_info=problem)
        ours = problem if isinstance(problem, EscrowError) else _unknown_failure()
        # A deposit that only lacks its receipt is not to be sent again.
        is_kept = isinstance(problem, DepositUnfinished)
        reason = ours.reason if is_kept else f"not stored, push again: {ours.reason}"
        return _refusal(ours, dict.fromkeys(refs, reason))

    def _acceptance(self, target: PushTarget, taken: TakenPush) -> bytes:
        address, number = target.address, taken.number
        return remote_lines(
            "",
            f"Received  {taken.objects:,} objects, {size_text(taken.size_bytes)}",
            f"SHA-256   {taken.pack_sha256} (the pack)",
            f"Sealed    and logged as deposit {number} of {address}",
            f"Follow    {self.deposit_url(address, number)}",
            f"          escrow logs -f {taken.deposit_id}",
            "",
        )


def size_text(size_bytes: int) -> str:
    """Return a size as people read it: ``34.2 MiB``."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}" if unit != "bytes" else f"{size_bytes} bytes"


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
                "Deposit a bundle of the repository with 'escrow deposit', which can be resumed.",
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


def _gits_refusal(report: PushReport, commands: PushCommands) -> bytes:
    """Return git's own refusal, extended to the refs that it would have taken."""
    refs = {
        update.ref: report.refs.get(update.ref, "git ended early") or ALL_OR_NONE
        for update in commands.updates
    }
    lines = remote_lines(
        "",
        "Git refused the push, so nothing was stored. The lines above say what it found.",
        "'git fsck --strict' in your clone shows the same.",
    )
    return lines + PushReport(report.unpack, refs).encode()


def _refusal(error: EscrowError, refs: dict[str, str], *more: str) -> bytes:
    lines = remote_lines("", error.reason, *more, error.remedy, f"[{error.code}]", "")
    return lines + PushReport.refusing(refs).encode()


def _unknown_failure() -> PushBroken:
    return PushBroken(
        "The service met an error of its own.",
        "Nothing of this push was stored; push again, and tell the operator if it stays.",
    )
