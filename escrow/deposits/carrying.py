"""Which parts a deposit takes over from the one before; pure.

A part that was not sent stands for itself "as of" the day it came. It is carried by reference:
same payload, no new header and no new key, since the service cannot open it any more. Its headers
hang on the part that was sent, and verification cites that part's result.
"""

from __future__ import annotations

from collections.abc import Sequence

from escrow.deposits.records import Part
from escrow.ground.identifiers import DepositId, new_id


def carried_forward(
    deposit_id: DepositId, sent: Sequence[Part], earlier: Sequence[Part]
) -> list[Part]:
    """Return the parts of the deposit before that were not sent anew, as parts of this one.

    Args:
        deposit_id: the deposit that takes them over.
        sent: its own parts.
        earlier: all parts of the product's last sealed deposit, carried ones included.
    """
    replaced = {(part.kind, part.name) for part in sent}
    return [
        Part(
            id=new_id("prt"),
            deposit_id=deposit_id,
            product_id=part.product_id,
            kind=part.kind,
            name=part.name,
            media=part.media,
            size_bytes=part.size_bytes,
            sha256=part.sha256,
            encoding=part.encoding,
            payload_sha256=part.payload_sha256,
            payload_size_bytes=part.payload_size_bytes,
            lane_header=b"",
            client_agreement_id=part.client_agreement_id,
            client_epoch=part.client_epoch,
            git=part.git,
            carried_from=part.carried_from or part.id,
            as_of=part.as_of,
        )
        for part in earlier
        if (part.kind, part.name) not in replaced
    ]
