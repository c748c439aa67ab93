"""A paper waits for its timestamp where it is signed, and takes it along where it is handed out.

Guarantees: every signature of a paper waits from the transaction on in which the paper is stored;
a token goes out only when it holds. Nothing waits for an authority: a paper without a token is
whole, and whoever checks it is told that it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from escrow.evidence.anchors import TimestampAuthority
from escrow.evidence.bundles import Bundle, SignedDocument
from escrow.evidence.timestamps import verify_timestamp
from escrow.evidence.timing import records
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex


def await_timestamps(session: Session, document: SignedDocument, signed_at: datetime) -> None:
    """Have a paper's signatures wait for their tokens, in the transaction that stores the paper.

    Each statement beside it as well: it is a bundle that may be cut out and checked alone.
    """
    for one in (document.leading, *document.beside):
        records.await_token(session, sha256_hex(one.signature), one.signature, signed_at)


def with_timestamps(
    session: Session, document: SignedDocument, authorities: Sequence[TimestampAuthority]
) -> SignedDocument:
    """Return a paper with the tokens that came for its signatures, each checked.

    A token of an authority that the trust root names no more is left away: no reader of today
    could check it.

    Args:
        session: reading is enough.
        document: without timestamps, as it is stored.
        authorities: of the trust root by which the reader checks.

    Raises:
        TimestampWrong: a token is not over this signature, or not by the authority it is noted for.
    """
    named = {one.name: one for one in authorities}
    if not named:
        return document
    imprints = [sha256_hex(one.signature) for one in (document.leading, *document.beside)]
    found = records.tokens_of(session, imprints)
    leading, *beside = (_timed(one, found, named) for one in (document.leading, *document.beside))
    return replace(document, timestamps=leading.timestamps, beside=tuple(beside))


def _timed(
    bundle: Bundle,
    found: Mapping[str, tuple[str, bytes]],
    named: Mapping[str, TimestampAuthority],
) -> Bundle:
    authority, token = found.get(sha256_hex(bundle.signature), ("", b""))
    if authority not in named:
        return bundle
    # A row that was exchanged would have the reader refuse a paper that is true.
    verify_timestamp(token, bundle.signature, (named[authority],))
    return replace(bundle, timestamps=(token,))
