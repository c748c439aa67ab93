"""Which refs count, and what a push may do to them: pure rules over a parsed command list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from escrow.deposits.errors import BadProduct, PushRefused
from escrow.deposits.git_wire import PushCommands, RefUpdate
from escrow.deposits.policy import printable

# A monorepo of twenty years has some thousands of tags; ten thousand is a flood.
MAX_REFS = 10_000

# One file of a ref's name may not be longer on disk; the whole stays printable on one line.
MAX_REF_BYTES = 200

# A product names few lines; more patterns than this is a list of branches kept by hand.
MAX_PATTERNS = 50

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_PATTERN = re.compile(r"refs/(?:heads|tags)/(?:[A-Za-z0-9._/+-]+|[A-Za-z0-9._/+-]*\*)")

ALL_OR_NONE = "not taken, since all refs are taken or none"


def check_patterns(patterns: Sequence[str]) -> None:
    """Refuse patterns that name no branches or tags.

    Raises:
        BadProduct: none at all, too many, or one with another form.
    """
    remedy = "Name branches and tags in full, as in refs/heads/main, refs/heads/release/*."
    if not patterns:
        raise BadProduct("The product says of no ref that it counts.", remedy)
    if len(patterns) > MAX_PATTERNS:
        raise BadProduct(f"The product has more than {MAX_PATTERNS} ref patterns.", remedy)
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern) or len(pattern) > MAX_REF_BYTES:
            raise BadProduct(f"{pattern[:80]!r} is no pattern for refs that count.", remedy)


def is_counted(ref: str, patterns: Sequence[str]) -> bool:
    """Tell whether a ref matches one of the patterns (``*`` at the end matches any rest)."""
    return any(
        ref.startswith(pattern[:-1]) if pattern.endswith("*") else ref == pattern
        for pattern in patterns
    )


def check_push(commands: PushCommands, patterns: Sequence[str], *, snapshot: bool) -> None:
    """Refuse a push that git may take and the product's terms do not.

    Args:
        commands: what the client asks for.
        patterns: the product's refs that count.
        snapshot: the product's history term is ``snapshot``.

    Raises:
        PushRefused: with a reason for every ref, since all are taken or none.
    """
    if len(commands.updates) > MAX_REFS:
        raise _refused_as_one(
            commands,
            f"more than {MAX_REFS} refs in one push",
            "Push the branches and tags that count, by name.",
        )
    if commands.shallow:
        raise _refused_as_one(commands, "the clone is shallow", _shallow_remedy(snapshot))
    counted = ", ".join(patterns)
    reasons = {update.ref: _objection(update, patterns) for update in commands.updates}
    if len(reasons) < len(commands.updates):
        raise _refused_as_one(commands, "a ref is named twice", "Name each ref once.")
    objections = [reason for reason in reasons.values() if reason]
    if objections:
        raise PushRefused(
            f"{len(objections)} of {len(reasons)} refs cannot be deposited; nothing was taken.",
            f"Push only refs that count, and delete none: {counted}.",
            {ref: reason or ALL_OR_NONE for ref, reason in reasons.items()},
        )


def head_of(updates: Sequence[RefUpdate]) -> str | None:
    """Return the branch that a clone of the deposit should check out, if any branch came."""
    branches = sorted(update.ref for update in updates if update.ref.startswith(_BRANCH))
    usual = [_BRANCH + name for name in ("main", "master") if _BRANCH + name in branches]
    return next(iter(usual + branches), None)


def _objection(update: RefUpdate, patterns: Sequence[str]) -> str | None:
    ref = update.ref
    if ref.startswith("refs/replace/"):
        return "replace refs would let the repository say one thing and show another"
    if not ref.startswith((_BRANCH, _TAG)):
        return "only branches and tags can be deposited"
    if len(ref.encode()) > MAX_REF_BYTES or printable(ref.encode()) != ref:
        return f"the name is not printable or longer than {MAX_REF_BYTES} bytes"
    if update.is_delete:
        return "a deposit deletes nothing"
    if not update.is_create:
        return "the repository of a push starts empty, so there is nothing to update; push again"
    if not is_counted(ref, patterns):
        return f"does not count for this product; these do: {', '.join(patterns)}"[:300]
    return None


def _shallow_remedy(snapshot: bool) -> str:
    # A bundle cannot say where its history was cut, so no stock git could clone it again.
    if snapshot:
        return (
            "Export the tree with 'git archive -o source.tar HEAD' and deposit that: "
            "'escrow deposit send VENDOR/PRODUCT --source source.tar'."
        )
    return "Fetch the whole history with 'git fetch --unshallow' (in CI: fetch depth 0) and push."


def _refused_as_one(commands: PushCommands, reason: str, remedy: str) -> PushRefused:
    return PushRefused(
        f"The push was refused: {reason}.",
        remedy,
        {update.ref: reason for update in commands.updates},
    )
