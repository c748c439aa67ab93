"""What a call to the keyholder brings back over a real socket, errors included."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.ground.errors import Refused
from escrow.ground.identifiers import DepositId
from escrow.ground.signatures import SigningKey
from escrow.operations.keyholder.client import SocketKeyholder
from escrow.operations.keyholder.wire import KeyholderServer
from escrow.vault.errors import LaneClosed, WrongPassphrase

DEPOSIT = DepositId("dep_1")


def _lane_is_closed(deposit_id: str) -> None:
    raise LaneClosed(f"The lane of {deposit_id} is closed.", "Ask the agents.")


def _wrong_passphrase(deposit_id: str) -> None:
    raise WrongPassphrase("It does not open.", "Try another.")


@pytest.fixture
def keyholder(tmp_path: Path) -> Iterator[SocketKeyholder]:
    verbs = {"open-for-verification": _lane_is_closed, "close-lane": _wrong_passphrase}
    path = tmp_path / "keyholder.sock"
    with KeyholderServer(path, verbs, frozenset({os.geteuid()})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield SocketKeyholder(path, SigningKey.generate().public)
        server.shutdown()
        thread.join()


def test_a_closed_lane_is_told_from_other_refusals(keyholder: SocketKeyholder) -> None:
    with pytest.raises(LaneClosed, match="The lane of dep_1 is closed"):
        keyholder.open_for_verification(DEPOSIT)


def test_other_errors_keep_family_code_and_words(keyholder: SocketKeyholder) -> None:
    with pytest.raises(Refused, match="It does not open") as refusal:
        keyholder.close_lane(DEPOSIT)
    assert refusal.value.code == "vault.wrong-passphrase"
    assert not isinstance(refusal.value, LaneClosed)
