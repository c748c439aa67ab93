"""``escrow admin timestamps``: which papers wait for their timestamp, looked at by hand."""

from __future__ import annotations

from datetime import timedelta

from escrow.evidence.timing import records
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import SystemClock, rfc3339
from escrow.ground.database import Database
from escrow.operations.settings_source import settings as own_settings
from escrow.operations.storing.looking import worker_home

# A silent authority is asked at least each hour; after a day somebody has to look at it.
MAX_WAIT = timedelta(days=1)


def look() -> tuple[dict[str, object], str]:
    """Return how many papers' signatures wait, as a document and as a sentence.

    Raises:
        NoWorkerHere: no worker has run here.
    """
    settings = own_settings()
    home = worker_home(settings)
    root = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
    authorities = [one.name for one in root.anchors.authorities]
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            count, since = records.waiting(session)
    finally:
        database.close()
    is_late = since is not None and SystemClock().now() - since > MAX_WAIT
    document: dict[str, object] = {
        "authorities": authorities,
        "waiting": count,
        "waiting_since": rfc3339(since) if since else None,
        "overdue": bool(authorities) and is_late,
    }
    if not authorities:
        return document, "The trust root names no timestamp authority: papers go without."
    oldest = f", the oldest since {rfc3339(since)}" if since else ""
    return document, f"{count} signatures wait for {' or '.join(authorities)}{oldest}."
