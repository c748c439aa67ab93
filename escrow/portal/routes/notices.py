"""The outbox of notices, for whoever runs the service: addresses are in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.notices import outbox
from escrow.notices.errors import NoticeUnknown
from escrow.notices.records import NoticeRow
from escrow.parties.permissions import Principal, Relation, Verb, check_allowed
from escrow.portal.access import Asker, Changing, RoomsNeeded
from escrow.portal.problems import documented, documented_change

router = APIRouter(tags=["notices"])


@router.get("/notices", responses=documented(404))
def list_notices(
    rooms: RoomsNeeded,
    asker: Asker,
    failed: Annotated[bool, Query(description="Only those that are not tried any more.")] = False,
    before: Annotated[
        str | None, Query(max_length=40, description="The cursor of the page before.")
    ] = None,
) -> dict[str, object]:
    """List the notices, newest first, with how far each got."""
    _check_operator(asker)
    with rooms.database.reading() as session:
        rows = outbox.list_notices(session, only_failed=failed, before=before)
    following = rows[-1].id if len(rows) == outbox.PAGE_NOTICES else None
    return {"items": [_described(row) for row in rows], "next": following}


@router.post("/notices/{notice_id}/retry", status_code=200, responses=documented_change(404))
def retry(change: Changing, notice_id: str) -> Response:
    """Put a notice that failed back into the outbox."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        _check_operator(asker)
        now = rooms.clock.now()
        outbox.retry(session, rooms.scribe, notice_id, actor=asker.actor, now=now)
        return {"id": notice_id, "state": "waiting"}

    return change.perform(work, status=200)


def _check_operator(asker: Principal) -> None:
    # Whoever administers one organisation only has no part in it: others' addresses are here.
    check_allowed(asker, Verb.ADMINISTER, Relation.NONE, NoticeUnknown)


def _described(row: NoticeRow) -> dict[str, object]:
    moments = {
        "posted_at": row.posted_at,
        "next_attempt_at": row.next_attempt_at,
        "sent_at": row.sent_at,
        "failed_at": row.failed_at,
    }
    return {
        "id": row.id,
        "key": row.key,
        "state": outbox.state_of(row),
        "kind": row.kind,
        "reader": row.reader,
        "address": row.address,
        "agreement_id": row.agreement_id,
        "request_id": row.request_id,
        "attempts": row.attempts,
        "answer": row.answer,
        **{name: rfc3339(moment) if moment else None for name, moment in moments.items()},
    }
