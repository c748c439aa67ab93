"""What was acknowledged before the service was killed is there afterwards, once."""

from __future__ import annotations

import secrets

from tests.journeys.conftest import Served, wait_for
from tests.worlds import DEPOSITS, Draft, database, deposit_tar, http, tar_of

SLOW = {
    "Makefile": "all: prog\nprog: main.c\n\tsleep 6\n\tcc -o prog main.c\n",
    "main.c": "int main(void) { return 0; }\n",
}


def test_killed_between_pieces_and_in_a_build(served: Served) -> None:
    client = http(served.here.url, served.cast.tokens["vendor"])
    content = tar_of(SLOW | {"noise.txt": secrets.token_hex(2_000_000)})
    draft = Draft.begin(client)
    upload = draft.create(len(content))
    draft.send(upload, 0, content[:3_000_000])
    building, number = deposit_tar(client, SLOW)
    wait_for(
        lambda: client.get(f"/api/v1/deposits/{building}").json(),
        lambda document: document["verification"] == "building",
    )
    served.kill()
    served.here.start()
    assert draft.offset(upload) == 3_000_000, "an acknowledged piece is durable"
    draft.send(upload, 3_000_000, content[3_000_000:])
    assert draft.finish() == number + 1
    for deposit in (building, draft.id):
        shown = wait_for(
            lambda deposit=deposit: client.get(f"/api/v1/deposits/{deposit}").json(),
            lambda document: document["verification"] == "done",
        )
        assert shown["verdict"] == "pass"
        assert _reports(served, deposit) == [
            ("agent", 1),
            ("auditor", 1),
            ("beneficiary", 1),
            ("vendor", 1),
        ]
    newest = client.get(DEPOSITS).json()["items"]
    assert [row["number"] for row in newest[:2]] == [number + 1, number]
    served.here.escrow(served.here.service_environment, "ledger", "verify")


def _reports(served: Served, deposit: str) -> list[tuple[str, int]]:
    """Return how many statements were signed for each class of readers."""
    with database(served.here.folder) as rows:
        query = "SELECT disclosure_class, count(*) FROM report WHERE deposit_id = ? GROUP BY 1"
        return list(rows.execute(f"{query} ORDER BY 1", (deposit,)))
