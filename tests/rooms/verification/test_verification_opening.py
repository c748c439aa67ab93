import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from escrow.vault.age import FileKey, encrypt_bytes, new_x25519_identity
from escrow.vault.errors import NoIdentityMatches
from escrow.verification.errors import KeysDoNotFit
from escrow.verification.opening import open_file_keys
from escrow.verification.parts import SealedPart

WORKER = new_x25519_identity()
KEY = FileKey(b"k" * 16)
PART = SealedPart(
    "prt_1", "source", "core", "tar", 1, "identity", "", "", datetime(2026, 1, 1, tzinfo=UTC)
)


def sealed(keys: dict[str, str]) -> bytes:
    return encrypt_bytes(json.dumps(keys).encode(), [WORKER.recipient])


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_keys_are_opened_for_the_parts_that_are_opened() -> None:
    parts = [PART, replace(PART, id="prt_2", kind="credentials")]
    answer = sealed({"prt_1": text(KEY.raw), "prt_2": text(KEY.raw)})
    assert open_file_keys(answer, WORKER, parts) == {"prt_1": KEY}


def test_keys_for_another_worker_do_not_open() -> None:
    with pytest.raises(NoIdentityMatches):
        open_file_keys(sealed({"prt_1": text(KEY.raw)}), new_x25519_identity(), [PART])


@pytest.mark.parametrize("keys", [{}, {"prt_1": "!"}, {"prt_1": text(b"short")}, {"prt_1": 7}, []])
def test_an_answer_that_lacks_a_key_is_an_alarm(keys: dict[str, str]) -> None:
    with pytest.raises(KeysDoNotFit):
        open_file_keys(sealed(keys), WORKER, [PART])
