"""A worker asks for what is another's, or signs in another's place."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.ground.digests import sha256_hex
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_newest
from escrow.operations.calls.lines import Desk
from escrow.operations.calls.mutual_tls import Address, TlsServer
from escrow.operations.keyholder.client import call
from escrow.operations.keyholder.grounds import WorkerNotPinned
from escrow.operations.keyholder.lanes import LANE_USED, Lanes
from escrow.operations.keyholder.wire import WORKER, KeyholderOut, keyholder_desk
from escrow.testing.lines import Installation, serving
from escrow.vault import age
from escrow.vault.errors import NoIdentityMatches
from tests.attacks.test_review_keyholder_rows import DEPOSIT, KeyholderWorld
from tests.rooms.register.conftest import PRODUCT

SECOND = "worker/second"


class TwoWorkers:
    """A keyholder that has two workers pinned, and a deposit that waits for both."""

    def __init__(self, folder: Path) -> None:
        self.world = KeyholderWorld(folder)
        self.second = age.new_x25519_identity()
        workers = {**self.world.grounds.workers, SECOND: str(self.second.recipient)}
        self.lanes = Lanes(replace(self.world.grounds, workers=workers))
        self.world.deposit(self.world.bring_into_force())
        self.lanes.seal_lasting_headers(DEPOSIT)
        self.world.grounds.sequence()

    def opened(self, asker: str) -> bytes:
        return base64.b64decode(self.lanes.open_for_verification(DEPOSIT, asker)["sealed"])

    def logged(self) -> list[object]:
        """Return to whom openings were logged, the newest first."""
        with self.world.database.reading() as session:
            events = [one.event for one in read_newest(session, Stream("product", PRODUCT))]
        return [one.data["recipient_sha256"] for one in events if one.type == LANE_USED]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoWorkers]:
    made = TwoWorkers(tmp_path)
    yield made
    made.world.ledger.close()


def _sha256(identity: age.X25519Identity) -> str:
    return sha256_hex(str(identity.recipient).encode())


def test_each_worker_gets_keys_that_open_to_itself_alone(two: TwoWorkers) -> None:
    first = two.world.worker
    for asker, own, other in ((WORKER, first, two.second), (SECOND, two.second, first)):
        sealed = two.opened(asker)
        assert age.decrypt_bytes(sealed, [own])
        with pytest.raises(NoIdentityMatches):
            age.decrypt_bytes(sealed, [other])


def test_each_opening_of_the_lane_is_logged_with_who_opened(two: TwoWorkers) -> None:
    two.opened(WORKER)
    two.opened(SECOND)
    assert two.logged() == [_sha256(two.second), _sha256(two.world.worker)]


def test_a_worker_that_nobody_pinned_asks_for_file_keys(two: TwoWorkers) -> None:
    with pytest.raises(WorkerNotPinned):
        two.opened("worker/third")
    assert two.logged() == []


def _desk(two: TwoWorkers) -> Desk:
    return keyholder_desk({"open-for-verification": two.lanes.open_for_verification})


def test_a_worker_asks_in_the_name_of_another(two: TwoWorkers, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    peers = {WORKER: place.pem["worker"], SECOND: place.certify("second")}
    server = TlsServer(Address("127.0.0.1", 0), place.credentials("keyholder"), peers, _desk(two))
    with serving(server):
        address = Address("127.0.0.1", server.server_address[1])
        arguments = {"deposit_id": DEPOSIT, "asker": WORKER}
        answer = call(place.line("second", address), "open-for-verification", arguments)
        assert isinstance(answer, dict)
        # The certificate says who asks; what the line says of it counts for nothing.
        assert age.decrypt_bytes(base64.b64decode(answer["sealed"]), [two.second])
        place.certify("third")
        with pytest.raises(KeyholderOut, match="certificates"):
            call(place.line("third", address), "open-for-verification", arguments)
    assert two.logged() == [_sha256(two.second)]
