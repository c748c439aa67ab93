"""What a push is told, as bytes: one answer for each outcome; pure.

Three outcomes of a push that git itself accepted are told apart, by the one transaction that makes
a deposit (docs/decisions/0004):

- *complete*: stored, logged and receipted. The report says ``ok`` for every ref.
- *not stored*: the transaction did not commit. The report says ``ng … not stored, push again``.
- *stored, not complete*: it committed, and the receipt waits. The report says neither, so that git
  ends with an error and no script takes the push for acknowledged; our own lines say what is so.

The third answer serves as well where it could not be found out whether the transaction committed:
either word might be untrue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from escrow.deposits.errors import DepositUnfinished, PushUnsure, TreeForbidden
from escrow.deposits.git_wire import PushCommands, PushReport, remote_lines
from escrow.deposits.refs import ALL_OR_NONE
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import DepositId

NOT_STORED = "not stored, push again"

_TREE_REASON = "the tree holds what cannot be deposited"

# Git's own words for a ref without a report are a riddle to whoever does not know why.
_WHY_NO_STATUS = "Git now says 'remote failed to report status': it is not acknowledged yet."
_SAFE_TO_REPEAT = "Should you push the same again, this deposit answers; no second one is made."


@dataclass(frozen=True)
class Place:
    """Where a person finds the deposits of a push.

    Attributes:
        address: vendor and product as people write them.
        url: of the deposit.
    """

    address: str
    url: str


@dataclass(frozen=True)
class TakenPush:
    """A push that is sealed, stored, logged and receipted.

    Attributes:
        objects, size_bytes, pack_sha256: of the pack that is kept.
        is_repeated: it came before, and was not acknowledged then.
    """

    deposit_id: DepositId
    number: int
    objects: int
    size_bytes: int
    pack_sha256: Sha256Hex
    is_repeated: bool = False


def complete(taken: TakenPush, place: Place, refs: Iterable[str]) -> bytes:
    """Return the answer to a push whose deposit is complete: every ref is ``ok``."""
    again = ", which came with an earlier push" if taken.is_repeated else ""
    lines = remote_lines(
        "",
        f"Received  {taken.objects:,} objects, {size_text(taken.size_bytes)}",
        f"SHA-256   {taken.pack_sha256} (the pack)",
        f"Sealed    and logged as deposit {taken.number} of {place.address}{again}",
        f"Follow    {place.url}",
        f"          escrow logs -f {taken.deposit_id}",
        "",
    )
    return lines + PushReport("ok", dict.fromkeys(refs)).encode()


def not_complete(problem: DepositUnfinished, place: Place) -> bytes:
    """Return the answer to a push that is stored, and whose receipt follows: no ref is reported."""
    lines = remote_lines(
        "",
        problem.reason,
        problem.remedy,
        "",
        f"Follow    {place.url}",
        f"          escrow receipt {place.address}#{problem.stored.number}",
        "",
        _WHY_NO_STATUS,
        _SAFE_TO_REPEAT,
        f"[{problem.code}]",
        "",
    )
    return lines + _unreported()


def unsure(problem: PushUnsure) -> bytes:
    """Return the answer where it is not known whether a deposit was made: no ref is reported."""
    lines = remote_lines("", problem.reason, problem.remedy, f"[{problem.code}]", "")
    return lines + _unreported()


def not_stored(problem: EscrowError, refs: Iterable[str]) -> bytes:
    """Return the answer to a push of which nothing was kept, by a fault of ours."""
    return refused(problem, dict.fromkeys(refs, f"{NOT_STORED}: {problem.reason}"))


def refused(problem: EscrowError, refs: Mapping[str, str], *more: str) -> bytes:
    """Return the answer to a push that breaks a rule.

    Args:
        refs: a short reason for each ref.
        more: lines between what is wrong and what to do about it.
    """
    lines = remote_lines("", problem.reason, *more, problem.remedy, f"[{problem.code}]", "")
    return lines + PushReport.refusing(refs).encode()


def refused_tree(problem: TreeForbidden, refs: Iterable[str]) -> bytes:
    """Return the answer to a push whose trees cannot be deposited; it names the first places."""
    # The first place stands in the reason.
    more = [f"Also {sentence}" for sentence in problem.problems[1:]]
    return refused(problem, dict.fromkeys(refs, _TREE_REASON), *more)


def refused_by_git(report: PushReport, commands: PushCommands) -> bytes:
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


def size_text(size_bytes: int) -> str:
    """Return a size as people read it: ``34.2 MiB``."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}" if unit != "bytes" else f"{size_bytes} bytes"


def _unreported() -> bytes:
    """Return a report without a line for any ref.

    It is well-formed (gitprotocol-pack(5)), so that git goes on to say which refs it has heard
    nothing of; where the whole report is missing, old versions only say that the line hung up.
    """
    return PushReport("ok", {}).encode()
