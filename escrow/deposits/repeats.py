"""Whether a push is the repetition of one whose sender was never told that it arrived; pure.

Every push is a new deposit: the same commit, pushed again after it was acknowledged, is meant (a
cadence is owed, a verdict of ours was ERROR). Only where the answer to the first push was withheld
or lost does its sender push again because he has to, and then one deposit is what he means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from escrow.deposits.facts import AgreementTerms


@dataclass(frozen=True)
class EarlierPush:
    """The push from which a repository's source in the newest deposit comes.

    Attributes:
        refs: what it brought: ref to object id.
        receipt_statement: of its deposit, as it was logged.
        acknowledged_at: when its sender was told; None: he never was.
    """

    refs: Mapping[str, str]
    receipt_statement: bytes
    acknowledged_at: datetime | None


def is_repetition(
    refs: Mapping[str, str], agreements: Iterable[AgreementTerms], earlier: EarlierPush
) -> bool:
    """Return whether a push means the deposit of an earlier one.

    Args:
        refs: of the push; git has checked that it brings every object they name.
        agreements: in force now. A deposit serves those of its time, so where another has come
            into force the push is meant for that one too, and has to be sealed anew.
    """
    now_served = {(str(one.agreement_id), one.version) for one in agreements}
    return (
        earlier.acknowledged_at is None
        and dict(refs) == dict(earlier.refs)
        and now_served == _served(earlier.receipt_statement)
    )


def _served(receipt_statement: bytes) -> set[tuple[str, int]]:
    agreements = json.loads(receipt_statement)["predicate"]["agreements"]
    return {(str(one["id"]), int(one["version"])) for one in agreements}
