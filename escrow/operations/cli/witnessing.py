"""Before an agent signs: is what he was shown the one history? He asks witnesses, not the service.

Each witness of the agent's own trust root is asked to cosign the newest checkpoint that the
service shows. It signs only what continues all that it has signed before, with a time of now: so
the agent sees the same log as everybody, of today. One that is silent or says otherwise is told
by name; without a quorum nothing is signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from escrow.ground.errors import Tampered, Unavailable
from escrow.operations.cli import remote
from escrow.operations.cli.output import complain

if TYPE_CHECKING:
    from escrow.evidence.trustroot import TrustRoot
    from escrow.ledger.checkpoints import Checkpoint

SIGSUM = "/sigsum/v1"

# What a busy service writes between its answer to us and our question for the newest checkpoint.
MAX_NEWER_LEAVES = 100

# Looks at the newest checkpoint, while the log grows under our eyes.
ATTEMPTS = 3

# A witness's clock and ours; one that is off by more does not tell the time.
MAX_CLOCK_DIFFERENCE = timedelta(minutes=10)


class NoQuorum(Unavailable):
    """Fewer witnesses than the trust root asks for bear out what the service shows."""

    code = "cli.no-quorum"


class OtherHistoryShown(Tampered):
    """What the service shows is not what a witness has seen, or is too old."""

    code = "cli.other-history-shown"


@dataclass(frozen=True)
class Outcome:
    """What the witnesses said.

    Args:
        agreed: names of those that cosigned just now.
        silent: names of those that gave no answer that counts.
    """

    agreed: tuple[str, ...]
    silent: tuple[str, ...]


def check_witnesses(root: TrustRoot, shown: Checkpoint) -> Outcome:
    """Return when a quorum of witnesses bears out the history that was shown.

    1. The service's newest checkpoint is the log's, continues the one that was shown, and is at
    most a little newer. 2. No witness has seen another history. 3. A quorum cosigns it now.

    Args:
        root: the agent's own trust root; without witnesses in it there is nothing to ask.
        shown: the checkpoint under which the agent was shown what he is to sign, verified.

    Raises:
        OtherHistoryShown: question 1 or 2 is answered no.
        NoQuorum: question 3.
        NotOurService, ServiceOut: the service does not show its log.
    """
    from escrow.ledger.errors import WitnessAhead

    anchors = root.anchors
    if not anchors.witnesses:
        complain("No witness stands in your trust root: only the service vouches for its history.")
        return Outcome((), ())
    for attempt in range(ATTEMPTS):
        # 1. the newest
        newest = _newest(root, shown)
        try:
            # 2., 3. each witness
            outcome = _ask(root, newest)
            break
        except WitnessAhead as problem:
            # The log may have grown between our two questions; then a fresh look shows it.
            if attempt == ATTEMPTS - 1:
                raise _other(problem.reason) from problem
    for name in outcome.agreed:
        complain(f"Witness {name} bears out {newest.tree_size} entries.")
    if len(outcome.agreed) < anchors.quorum:
        raise NoQuorum(
            f"{len(outcome.agreed)} of {len(anchors.witnesses)} witnesses bear this history out, "
            f"{anchors.quorum} are needed; silent: {', '.join(outcome.silent)}.",
            "Sign nothing; try again later, and ask whoever runs the silent witness.",
        )
    return outcome


def _newest(root: TrustRoot, shown: Checkpoint) -> Checkpoint:
    from escrow.ledger.errors import ProofFails
    from escrow.ledger.merkle import check_consistency
    from escrow.ledger.sigsum_texts import checkpoint_of_tree_head

    try:
        newest = checkpoint_of_tree_head(_get("get-tree-head"), root.log)
        if not 0 <= newest.tree_size - shown.tree_size <= MAX_NEWER_LEAVES:
            raise _other(
                f"The service shows a history of {shown.tree_size} entries and says that its "
                f"newest has {newest.tree_size}."
            )
        path = _prove(shown.tree_size, newest.tree_size)
        check_consistency(
            shown.tree_size, shown.root_hash, newest.tree_size, newest.root_hash, path
        )
    except ProofFails as problem:
        raise _other(problem.reason) from problem
    return newest


def _ask(root: TrustRoot, newest: Checkpoint) -> Outcome:
    from escrow.ground.clock import SystemClock
    from escrow.ledger.errors import WitnessRefuses, WitnessSilent
    from escrow.ledger.witnessing.asking import WitnessClient

    agreed: list[str] = []
    silent: list[str] = []
    for witness in root.anchors.witnesses:
        try:
            word = WitnessClient(witness).cosign(newest, _prove, newest.tree_size)
        except WitnessSilent as problem:
            complain(problem.reason)
            silent.append(witness.name)
            continue
        except WitnessRefuses as problem:
            raise _other(problem.reason) from problem
        if abs(word.at - SystemClock().now()) > MAX_CLOCK_DIFFERENCE:
            complain(f"The witness {witness.name} tells another time: {word.at.isoformat()}.")
            silent.append(witness.name)
        else:
            agreed.append(witness.name)
    return Outcome(tuple(agreed), tuple(silent))


def _prove(old: int, new: int) -> Sequence[bytes]:
    from escrow.ledger.sigsum_texts import node_hashes

    return node_hashes(_get(f"get-consistency-proof/{old}/{new}")) if old < new else ()


def _get(question: str) -> str:
    return remote.public_text(f"{SIGSUM}/{question}")


def _other(reason: str) -> OtherHistoryShown:
    return OtherHistoryShown(
        reason, "Sign nothing, keep what you were shown, and tell the other agents."
    )
