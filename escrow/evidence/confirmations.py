"""Two reports on one deposit, by two workers: does the second stand beside exactly the first?

Guarantees: a pair was signed by two different keys of workers of the believed trust root, is about
one deposit, and the second names the first by its statement's digest. What it does not say is that
the two workers have nothing else in common: who runs which machine no paper tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escrow.evidence.checking import CheckedDocument
from escrow.evidence.errors import ConfirmationBroken

CONFIRMS_FIELD = "confirms"

NOT_GIVEN = "whether the report that it stands beside holds: it was not given"


def confirmed_by(
    second: CheckedDocument, documents: Sequence[CheckedDocument]
) -> CheckedDocument | None:
    """Return the first worker's report that a second one stands beside.

    1. The second names another worker's key than its own. 2. The report of that digest was signed
    by that key. 3. It is about the same deposit, and the examination that the second names.

    Args:
        second: a checked document.
        documents: the checked documents that are at hand.

    Returns:
        None where the document names no other, or the one that it names is not at hand.

    Raises:
        ConfirmationBroken: a question is answered no.
    """
    named = second.predicate.get(CONFIRMS_FIELD)
    if named is None:
        return None
    if not isinstance(named, Mapping) or named.get("worker") == second.key_id:
        raise ConfirmationBroken("The report names no other worker than the one that signed it.")
    digest = named.get("statementSha256")
    first = next((one for one in documents if one.statement.sha256 == digest), None)
    if first is None:
        return None
    if first.key_id != named.get("worker"):
        raise ConfirmationBroken("The report that it names was signed by another worker.")
    about = (_id(first, "deposit"), _id(first, "examination"))
    if about != (_id(second, "deposit"), named.get("examination")):
        raise ConfirmationBroken("The report that it names is about another deposit.")
    return first


def tells_of(document: CheckedDocument, documents: Sequence[CheckedDocument]) -> dict[str, object]:
    """Return what a person wants to read of a document's worker, and of a second one's.

    Raises:
        ConfirmationBroken: as :func:`confirmed_by`.
    """
    first = confirmed_by(document, documents)
    if CONFIRMS_FIELD not in document.predicate:
        return {}
    if first is None:
        return {"could_not_tell": [*document.could_not_tell, NOT_GIVEN]}
    verdicts = [str(one.predicate.get("verdict")) for one in (first, document)]
    return {
        "workers": [first.key_id, document.key_id],
        "verdicts": verdicts,
        "agree": verdicts[0] == verdicts[1],
    }


def _id(document: CheckedDocument, section: str) -> object:
    value = document.predicate.get(section)
    return value.get("id") if isinstance(value, Mapping) else None
