"""Two workers with keys of their own examine a deposit, and a stranger checks both reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from demo.cast import PRODUCT
from demo.play import set_up_parties
from demo.stage import stage
from escrow.evidence.trustroot import TrustRoot
from escrow.verification.confirming import CONFIRMATION_TEXTS, Confirmation
from tests.journeys.conftest import Served, wait_for
from tests.journeys.test_on_postgresql import PROJECT, PostgresqlStage
from tests.postgresql import PostgresqlServer
from tests.s3 import S3Server

SECOND = "worker-second"

pytestmark = pytest.mark.timeout(900)


class TwoKeysStage(PostgresqlStage):
    """A service on a database server with a second worker that has a home and keys of its own."""

    title = "portal, two workers with separate keys, and keyholder on PostgreSQL"

    def home(self, name: str) -> Path:
        return self.folder / "homes" / SECOND if name == SECOND else super().home(name)

    def environment_of(self, name: str) -> Mapping[str, str]:
        own = {"ESCROW_MORE_WORKERS": "second"}
        if name == SECOND:
            own |= {"ESCROW_WORKER_NAME": "second", "ESCROW_REPLICA_FOLDER": str(self.second)}
        return {**super().environment_of(name), **own}

    def begin(self, name: str) -> None:
        # Where the ordinary stage begins another process of the one worker, begin the other worker.
        super().begin(SECOND if name == "worker-2" else name)


@pytest.fixture(scope="module")
def two(bare_postgresql: PostgresqlServer, s3: S3Server) -> Iterator[Served]:
    with stage(partial(TwoKeysStage, bare_postgresql, s3)) as here:
        told = here.set_up()
        yield Served(here, set_up_parties(here, str(told["one_time_token"])))


def _standing(two: Served) -> dict[str, object]:
    deposits = two.ask("vendor", "status", PRODUCT)["deposits"]
    assert isinstance(deposits, list)
    return dict(deposits[0])


def test_two_workers_examine_a_deposit_and_both_reports_hold_together(two: Served) -> None:
    assert "logged as deposit 1" in two.push(two.clone(PROJECT))
    confirmed = CONFIRMATION_TEXTS[Confirmation.TWO_WORKERS]
    standing = wait_for(
        lambda: _standing(two), lambda one: one["confirmation"] == confirmed, patience_seconds=400
    )
    assert standing["verdict"] == "pass"
    workers = standing["workers"]
    assert isinstance(workers, list)
    root = TrustRoot.from_json(two.here.trust_root.read_text(encoding="utf-8"))
    assert {one["key"] for one in workers} == {key.key_id for key in root.workers.values()}
    folder = two.here.folder
    for name, more in (("first.json", ()), ("second.json", ("--second",))):
        said = two.ask("vendor", "report", PRODUCT, *more, "--save", str(folder / name))
        assert said["verdict"] == "pass"
    files = [str(folder / name) for name in ("first.json", "second.json")]
    checked = two.ask("vendor", "check", *files, "--trust-root", str(two.here.trust_root))
    assert isinstance(checked, list)
    assert checked[1]["workers"] == [one["key"] for one in workers]
    assert checked[1]["agree"] is True
    assert "The ledger holds" in two.here.operate("ledger", "verify")
    log = (folder / "service.log").read_text()
    assert "permission denied" not in log, json.dumps(checked)
