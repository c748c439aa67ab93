"""What an examination did and saw, as a value that every document is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from builders.orders import Inspection, TrialBuildPlan, TrialBuildResult
from escrow.verification.confirming import Cited

# The vendor's statements list so many artefacts of a component; all are in the build log's
# listing, and a signed statement has to stay readable (and below the envelope's limit).
ARTIFACTS_LISTED_MAX = 1_000


@dataclass(frozen=True)
class DocumentFacts:
    """A derived document, by digest and size of its plaintext."""

    kind: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Kit:
    """A recovery kit, and the ids of the images that it needs; all of them are kept."""

    document: bytes
    images: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What was done and seen in an examination, apart from any agreement's terms.

    Args:
        isolation: how the runner separated the build: machine words, none from the deposit.
        worker: id of the key of the worker who did it, and signs.
        confirms: the first worker's report that this one is a second look beside.
    """

    examination_id: str
    attempt: int
    begun_at: datetime
    finished_at: datetime
    isolation: Mapping[str, str]
    inspection: Inspection | None = None
    plan: TrialBuildPlan | None = None
    result: TrialBuildResult | None = None
    documents: tuple[DocumentFacts, ...] = ()
    kit: Kit | None = None
    worker: str = ""
    confirms: Cited | None = None
