"""Ceremonies and canaries: sealed files on their way to those who alone can open them."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter
from fastapi.responses import Response

from escrow.deposits.client_sealing import shown_key
from escrow.ground.database import Session
from escrow.ground.errors import InvalidInput, NotFound
from escrow.ground.identifiers import AgreementId
from escrow.parties import records as parties
from escrow.parties.permissions import Principal, Verb
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.finding import check_agreement_allowed
from escrow.portal.problems import documented, documented_change
from escrow.portal.schemas.agreements import CanaryShareBody
from escrow.register.acceptance import settle
from escrow.register.reading import read_version
from escrow.register.recipients import canaries_of
from escrow.vault import records as vault

router = APIRouter(tags=["ceremonies"])


class NothingDealt(NotFound):
    """No key was dealt under this agreement yet."""

    code = "ceremonies.nothing-dealt"

    def __init__(self) -> None:
        super().__init__(
            "No key was dealt under this agreement yet.",
            "The administrator holds the ceremony: 'escrow ceremony hold'.",
        )


class ShareNotYours(InvalidInput):
    """A share was sent by, or to, somebody who is no agent of the agreement."""

    code = "ceremonies.share-not-yours"


@router.post(
    "/agreements/{agreement_id}/ceremony", status_code=201, responses=documented_change(403, 404)
)
def hold(change: Changing, agreement_id: str) -> Response:
    """Have the keyholder deal a sealing key to the agreement's agents."""
    rooms, asker = change.rooms, change.asker

    def work() -> dict[str, object]:
        with rooms.database.reading() as session:
            found = check_agreement_allowed(session, asker, agreement_id, Verb.HOLD_CEREMONY)
        rooms.keyholder.hold_ceremony(found)
        with rooms.database.writing() as session:
            settle(session, found, rooms.scribe, clock=rooms.clock)
            epoch = _epoch(session, found)
            terms, _ = read_version(session, found)
        return {
            "epoch": epoch.epoch,
            "k": epoch.k,
            "recipient": epoch.recipient,
            "agents": [agent.name for agent in terms.agents],
        }

    return change.perform_repeatable(work)


@router.get("/agreements/{agreement_id}/shares", responses=documented(403, 404))
def shares(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Return the asking agent's own sealed share file, and the canary."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.OPEN_SHARE)
        epoch = _epoch(session, found)
        own = _own_share(session, asker, found, epoch.epoch)
        everyone = vault.shares_of(session, found, epoch.epoch)
    return {
        "epoch": epoch.epoch,
        "shares": [
            {
                "index": own.index,
                "recipient": own.share_recipient,
                "file": base64.b64encode(own.share_file).decode(),
            }
        ],
        "recipients": [share.share_recipient for share in everyone],
        "canary_file": base64.b64encode(epoch.canary_file).decode(),
    }


@router.get("/agreements/{agreement_id}/sealing-key", responses=documented(403, 404, 409))
def sealing_key(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Return the key that a vendor may seal to himself, and the entries that bear it out."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_LEDGER)
    # The opening of its canary, by which a new key counts, may wait for the tree.
    rooms.keyholder.sequence()
    with rooms.database.reading() as session:
        return shown_key(session, found)


@router.post(
    "/agreements/{agreement_id}/canary-shares",
    status_code=201,
    responses=documented_change(403, 404),
)
def send_canary_share(change: Changing, agreement_id: str, body: CanaryShareBody) -> Response:
    """Keep an agent's canary share, sealed to another agent of the agreement."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.OPEN_SHARE)
        epoch = _epoch(session, found)
        own = _own_share(session, asker, found, epoch.epoch)
        recipients = {one.share_recipient for one in vault.shares_of(session, found, epoch.epoch)}
        if body.recipient not in recipients:
            raise ShareNotYours(
                "The recipient is no agent of this agreement.",
                "Seal the canary share to the age recipient of the agent who opens it.",
            )
        row = vault.CanaryShareRow(
            agreement_id=found,
            epoch=epoch.epoch,
            from_index=own.index,
            recipient=body.recipient,
            file=_bytes(body.file),
            sent_at=rooms.clock.now(),
        )
        vault.keep_canary_share(session, row)
        return {"epoch": epoch.epoch, "from_index": own.index}

    return change.perform(work)


@router.get("/agreements/{agreement_id}/canary-shares", responses=documented(403, 404))
def canary_shares(
    rooms: RoomsNeeded, asker: Asker, agreement_id: str, recipient: str
) -> dict[str, object]:
    """Return the canary shares that were sent to the asking agent."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.OPEN_SHARE)
        epoch = _epoch(session, found)
        own = _own_share(session, asker, found, epoch.epoch)
        if recipient != own.share_recipient:
            raise ShareNotYours("This recipient is not yours.", "Ask for your own.")
        rows = vault.canary_shares_for(session, found, epoch.epoch, recipient)
    items = [
        {"from_index": row.from_index, "file": base64.b64encode(row.file).decode()} for row in rows
    ]
    return {"epoch": epoch.epoch, "items": items, "next": None}


@router.get("/agreements/{agreement_id}/recipient-canaries", responses=documented(403, 404))
def recipient_canaries(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Return the canaries sealed to the recipients of the asker's own organisation."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.ACCEPT)
        owner = parties.organisation(session, asker.organisation_id)
        own = canaries_of(session, found, owner.slug) if owner else []
    canaries = [
        {
            "kind": one.kind,
            "recipient": one.recipient,
            "file": base64.b64encode(one.canary_file).decode(),
            "proven": one.is_proven,
        }
        for one in own
    ]
    return {"canaries": canaries}


def _epoch(session: Session, agreement_id: AgreementId) -> vault.SealingEpochRow:
    epoch = vault.newest_epoch(session, agreement_id)
    if epoch is None:
        raise NothingDealt
    return epoch


def _own_share(
    session: Session, asker: Principal, agreement_id: AgreementId, epoch: int
) -> vault.ShareDealRow:
    """Return the share of the asking agent: the one under the e-mail that the terms name."""
    terms, _ = read_version(session, agreement_id)
    member = parties.member(session, asker.member_id) if asker.member_id else None
    emails = [agent.email.lower() for agent in terms.agents]
    if member is None or member.email not in emails:
        raise NothingDealt
    agent = terms.agents[emails.index(member.email)]
    for share in vault.shares_of(session, agreement_id, epoch):
        if share.signing_key == agent.signing_key:
            return share
    raise NothingDealt


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ShareNotYours("The file is not base64.", "Send the age file as base64.") from None
