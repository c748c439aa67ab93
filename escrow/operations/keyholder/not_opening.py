"""Client-sealed parts that no session or release will open: found where they are, said by name.

Nobody can tell to which key a header was made before somebody opens it. So a part that its vendor
sealed to another key than he said is found when k agents combine theirs, and one whose key was
changed while it was on its way when its headers are written. Both are logged; neither keeps the
other parts, or the other agreements of a session, from what is done for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.grounds import Grounds

NOT_OPENING = "vault:headers:not-opening"

# The vendor sealed to another key than he said, or what he sent as a header is none.
OTHER_KEY = "other-key"
# The key was combined while the part was on its way, so that nothing seals it to the next one.
KEY_CHANGED = "key-changed"

# An event holds 64 KiB; two ids and a number take some 150 bytes.
_HEADERS_PER_EVENT = 200


def note_not_opening(
    on: Grounds,
    session: Session,
    agreement_id: AgreementId,
    headers: Iterable[tuple[str, str, int]],
    because: str,
) -> None:
    """Log the parts that do not open, each with deposit, part and epoch."""
    listed = iter(
        [
            {"deposit_id": deposit, "part_id": part, "epoch": epoch}
            for deposit, part, epoch in headers
        ]
    )
    while some := list(islice(listed, _HEADERS_PER_EVENT)):
        data = {"because": because, "headers": some}
        event = NewEvent(Stream("agreement", agreement_id), NOT_OPENING, KEYHOLDER, data)
        on.scribe.append(session, event)
