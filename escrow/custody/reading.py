"""Custody for those who ask: how an agreement stands, and how far a session has come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from escrow.custody import records
from escrow.custody.errors import SessionUnknown
from escrow.custody.scheduling import session_due_at
from escrow.custody.sessions import Item
from escrow.custody.standing import CustodyView, ShareSeen, concentrated, custody_of
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.register import records as register
from escrow.register.reading import read_version, text_of
from escrow.vault import records as vault
from escrow.vault.headers import CLIENT_LOCK


def view_of_custody(
    session: Session, agreement_id: AgreementId, now: datetime
) -> CustodyView | None:
    """Return how the custody of an agreement stands; None before a key counts."""
    epoch = vault.counting_epoch(session, agreement_id)
    if epoch is None:
        return None
    proved = {
        one.index: one.live_at for one in records.liveness_of(session, agreement_id, epoch.epoch)
    }
    shares = [
        ShareSeen(one.index, proved.get(one.index, epoch.dealt_at))
        for one in vault.shares_of(session, agreement_id, epoch.epoch)
    ]
    return custody_of(epoch.epoch, epoch.k, epoch.n, shares, now)


def shown_custody(session: Session, agreement_id: AgreementId, now: datetime) -> dict[str, object]:
    """Return custody as pages and programs show it: numbers of shares, no names."""
    view = view_of_custody(session, agreement_id, now)
    if view is None:
        return {"standing": "not-dealt"}
    epoch = vault.epoch_of(session, agreement_id, view.epoch)
    newest = vault.newest_epoch(session, agreement_id)
    renewal = records.open_renewal(session, agreement_id)
    terms, _ = read_version(session, agreement_id, epoch.agreement_version if epoch else None)
    return {
        "standing": view.standing,
        "epoch": view.epoch,
        "k": view.k,
        "n": view.n,
        "live": list(view.live),
        "overdue": list(view.overdue),
        "next_drill_due": rfc3339(view.due_at) if view.due_at else None,
        "next_session_due": rfc3339(session_due_at(epoch.dealt_at)) if epoch else None,
        "session_open": renewal.id if renewal else None,
        "canary_waits": newest is not None and newest.epoch > view.epoch,
        "burnt": epoch is not None and epoch.burnt_at is not None,
        "concentrated": dict(concentrated(terms)),
        "not_opening": [
            {"deposit_id": deposit, "part_id": part}
            for deposit, part in parts_not_opening(session, agreement_id)
        ],
    }


def parts_not_opening(session: Session, agreement_id: AgreementId) -> list[tuple[str, str]]:
    """Return deposit and part of each client-sealed header that no agents will open.

    When a key is combined, whatever opens is sealed to the next one. What was left under a key
    that is burnt did not open, or came too late for it.
    """
    newest: dict[str, vault.HeaderRecordRow] = {}
    for row in vault.headers_of_agreement(session, agreement_id):
        if row.lock == CLIENT_LOCK:
            newest[row.part_id] = row
    burnt: dict[int, bool] = {}
    for number in {row.epoch for row in newest.values()}:
        epoch = vault.epoch_of(session, agreement_id, number)
        burnt[number] = epoch is None or epoch.burnt_at is not None
    return [(row.deposit_id, row.part_id) for row in newest.values() if burnt[row.epoch]]


def agents_on_papers(
    session: Session, agreement_id: AgreementId, now: datetime
) -> dict[str, object] | None:
    """Return what receipts and certificates print of the agents; None before a key counts.

    ``standing`` is that of this moment; ``concentrated`` names an organisation that alone could
    open or block, with its number of shares.
    """
    view = view_of_custody(session, agreement_id, now)
    if view is None:
        return None
    epoch = vault.epoch_of(session, agreement_id, view.epoch)
    terms, _ = read_version(session, agreement_id, epoch.agreement_version if epoch else None)
    return {
        "standing": str(view.standing),
        "live": len(view.live),
        "concentrated": dict(concentrated(terms)),
    }


def shown_session(session: Session, session_id: str) -> Mapping[str, object]:
    """Return how far a session has come.

    Raises:
        SessionUnknown: there is none.
    """
    row = records.session_by_id(session, session_id)
    if row is None:
        raise SessionUnknown
    items = records.items_of(session, session_id)
    return {
        "id": row.id,
        "purpose": row.purpose,
        "state": _state(row),
        "agreements": len(items),
        "done": sum(one.done_at is not None for one in items),
        "answers": len(records.answers_of(session, session_id)),
        "k": max((one.k for one in items), default=0),
        "n": max((one.n for one in items), default=0),
        "reopened": [one.deposit_id for one in records.reopenings_in(session, session_id)],
        "items_root": row.items_root,
        "opened_at": rfc3339(row.opened_at) if row.opened_at else None,
        "ends_at": rfc3339(row.ends_at) if row.ends_at else None,
    }


def _state(row: records.SessionRow) -> str:
    if row.ended_at is not None:
        return "ended"
    return "asked" if row.entry_sha256 is None else "open"


def shown_acceptances(session: Session, items: Sequence[Item], key: str) -> list[dict[str, object]]:
    """Return what shows an agent's client that he has accepted the text of each item.

    For one who leaves, whom that text no longer names: what he accepted before, and who of its
    parties has accepted this one. The client believes signatures alone.

    Args:
        key: the agent's public signing key.
    """
    own = {(one.agreement_id, one.version): one for one in register.acceptances_by(session, key)}
    found: list[dict[str, object]] = []
    for item in items:
        row = own.get((item.agreement_id, item.version))
        before = None if row else _accepted_before(session, item, key)
        found.append({"own": json.loads(row.envelope_json) if row else None, "before": before})
    return found


def _accepted_before(session: Session, item: Item, key: str) -> dict[str, object] | None:
    agreement_id = AgreementId(item.agreement_id)
    governing = register.version_in_force(session, agreement_id)
    if governing is None:
        return None
    own = _acceptances(session, agreement_id, governing.version).get(key)
    return own and {
        "version": governing.version,
        "text": text_of(session, agreement_id, governing.version),
        "own": own,
        "acceptances": list(_acceptances(session, agreement_id, item.version).values()),
    }


def _acceptances(
    session: Session, agreement_id: AgreementId, version: int
) -> dict[str, dict[str, object]]:
    rows = register.acceptances_of(session, agreement_id, version)
    return {one.signing_key: json.loads(one.envelope_json) for one in rows}
