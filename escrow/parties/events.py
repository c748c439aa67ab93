"""What the parties' room writes into the ledger: ids, never a name, an address or a token."""

from __future__ import annotations

from escrow.ground.clock import rfc3339
from escrow.ledger.events import NewEvent, Stream
from escrow.parties.records import Member, MemberKey, Organisation, Token

# The one stream of what concerns the installation as a whole.
INSTALLATION = Stream("installation", "installation")


def organisation_created(row: Organisation, actor: str) -> NewEvent:
    """Return the event of a new organisation."""
    data = {"organisation_id": row.id}
    return NewEvent(_stream(row.id), "parties:organisation:created", actor, data)


def member_added(row: Member, actor: str) -> NewEvent:
    """Return the event of a new member."""
    data = {"member_id": row.id, "roles": list(row.roles)}
    return NewEvent(_stream(row.organisation_id), "parties:member:added", actor, data)


def member_removed(row: Member, actor: str) -> NewEvent:
    """Return the event of a member who left."""
    data = {"member_id": row.id}
    return NewEvent(_stream(row.organisation_id), "parties:member:removed", actor, data)


def key_registered(row: MemberKey, owner: Member, actor: str) -> NewEvent:
    """Return the event of a registered public key."""
    data = {
        "key_id": row.id,
        "member_id": row.member_id,
        "kind": row.kind,
        "public_key_sha256": row.public_key_sha256,
    }
    return NewEvent(_stream(owner.organisation_id), "parties:key:registered", actor, data)


def token_issued(row: Token, actor: str) -> NewEvent:
    """Return the event of a new token, with all that it may do."""
    data = {
        "token_id": row.id,
        "member_id": row.member_id,
        "role": row.role,
        "verbs": list(row.verbs),
        "product_ids": row.product_ids,
        "agreement_ids": row.agreement_ids,
        "expires_at": rfc3339(row.expires_at),
        "one_time": row.one_time,
    }
    return NewEvent(_stream(row.organisation_id), "parties:token:issued", actor, data)


def token_revoked(row: Token, actor: str) -> NewEvent:
    """Return the event of a token that is no longer valid."""
    data = {"token_id": row.id}
    return NewEvent(_stream(row.organisation_id), "parties:token:revoked", actor, data)


def token_exchanged(row: Token, actor: str) -> NewEvent:
    """Return the event of a one-time token that was used."""
    data = {"token_id": row.id}
    return NewEvent(_stream(row.organisation_id), "parties:token:exchanged", actor, data)


def _stream(organisation_id: str | None) -> Stream:
    return INSTALLATION if organisation_id is None else Stream("organisation", organisation_id)
