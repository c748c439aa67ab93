"""Papers of a request: statements, evidence, proofs; each is the one that was signed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import RequestId
from escrow.releases import records
from escrow.releases.errors import PaperMalformed

# All papers of one act come in one body of the API, which takes 2 MiB with base64 around them.
MAX_PAPERS_BYTES = 1_400_000
MAX_NAME_CHARACTERS = 120


@dataclass(frozen=True)
class Paper:
    """A paper as it is sent.

    Args:
        kind: ``statement``, ``proof``, or a kind of evidence.
        name: of the file, for people.
        content: its bytes; nobody here opens them.
    """

    kind: str
    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The digest under which an act names it."""
        return sha256_hex(self.content)


def check_papers(papers: Sequence[Paper], named: Sequence[str]) -> None:
    """Return when exactly the papers that an act names are there.

    Raises:
        PaperMalformed: one is missing, nobody named it, or they are too large.
    """
    if sum(len(one.content) for one in papers) > MAX_PAPERS_BYTES:
        raise PaperMalformed(
            f"The papers are larger than {MAX_PAPERS_BYTES} bytes together.",
            "Send what proves the point; a large record can be a deposit of the beneficiary's own.",
        )
    if {one.sha256 for one in papers} != set(named):
        raise PaperMalformed(
            "The papers sent are not those that the act names by their digests.",
            "Send each paper that was signed for, unchanged, and no other.",
        )
    if any(not one.name.isprintable() or len(one.name) > MAX_NAME_CHARACTERS for one in papers):
        raise PaperMalformed(
            "A paper's name cannot be shown.",
            f"Use at most {MAX_NAME_CHARACTERS} printable characters.",
        )


def keep_papers(
    session: Session, request_id: RequestId, papers: Sequence[Paper], now: datetime
) -> None:
    """Store the papers of an act."""
    for one in papers:
        row = records.ReleasePaperRow(
            request_id=request_id,
            sha256=one.sha256,
            kind=one.kind,
            name=one.name,
            content=one.content,
            sent_at=now,
        )
        records.keep_paper(session, row)
