"""RFC 3161: tokens of stock ``openssl ts`` are taken, every other one is refused."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from escrow.evidence.errors import TimestampUnavailable, TimestampWrong
from escrow.evidence.timestamps import HttpAuthority, verify_timestamp
from escrow.testing.timestamps import TrialAuthority

MESSAGE = b"a checkpoint"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> TrialAuthority:
    return TrialAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(trial: TrialAuthority) -> bytes:
    with trial.serving() as authority:
        return HttpAuthority(authority).stamp(MESSAGE)


def test_a_token_is_asked_for_and_verified(trial: TrialAuthority, token: bytes) -> None:
    found = verify_timestamp(token, MESSAGE, (trial.authority,))
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (found.authority, found.not_after - found.at) == ("trial-tsa", timedelta(seconds=1))


def test_openssl_accepts_the_token_too(trial: TrialAuthority, token: bytes, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "token.tsr").write_bytes(token)
    command = ("openssl", "ts", "-verify", "-data", "message", "-in", "token.tsr", "-CAfile")
    done = subprocess.run((*command, str(trial.folder / "ca.pem")), cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_a_token_over_something_else_is_refused(trial: TrialAuthority, token: bytes) -> None:
    with pytest.raises(TimestampWrong, match="something else"):
        verify_timestamp(token, MESSAGE + b"!", (trial.authority,))


def test_another_authoritys_token_is_refused(token: bytes, tmp_path: Path) -> None:
    # The same names, other keys.
    other = TrialAuthority(tmp_path).authority
    for authorities in ((other,), ()):
        with pytest.raises(TimestampWrong, match="No timestamp authority"):
            verify_timestamp(token, MESSAGE, authorities)


def test_a_replayed_token_is_refused_by_its_nonce(trial: TrialAuthority, token: bytes) -> None:
    with pytest.raises(TimestampWrong, match="Nonce"):
        verify_timestamp(token, MESSAGE, (trial.authority,), nonce=1)
    replay = httpx.MockTransport(lambda _: httpx.Response(200, content=token))
    with pytest.raises(TimestampUnavailable, match="Nonce"):
        HttpAuthority(trial.authority, replay).stamp(MESSAGE)


def test_no_changed_byte_is_taken(trial: TrialAuthority, token: bytes) -> None:
    known = verify_timestamp(token, MESSAGE, (trial.authority,))
    for place in range(0, len(token), 7):
        changed = token[:place] + bytes((token[place] ^ 1,)) + token[place + 1 :]
        try:
            found = verify_timestamp(changed, MESSAGE, (trial.authority,))
        except TimestampWrong:
            continue
        # What neither the signature covers nor the answer depends on (names of algorithms that
        # repeat others, the status text) may differ; the time may not.
        assert found == known


def test_a_certificate_that_had_ended_is_refused(tmp_path: Path) -> None:
    trial = TrialAuthority(tmp_path)
    # An end in the past: 'openssl x509 -days' takes a negative number.
    signing = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "config",
        "-extensions",
        "signer",
    ]
    command = ["openssl", "x509", "-req", "-in", "csr", *signing, "-days", "-1", "-out"]
    subprocess.run([*command, "signer.pem"], cwd=tmp_path, check=True, capture_output=True)
    with trial.serving() as authority, pytest.raises(TimestampUnavailable):
        HttpAuthority(authority).stamp(MESSAGE)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"\x30\x03\x02\x01\x02"),
        httpx.Response(200, content=bytes(70_000)),
    ],
)
def test_an_answer_of_no_use_is_said_so(trial: TrialAuthority, answer: httpx.Response) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    with pytest.raises(TimestampUnavailable, match="trial-tsa"):
        HttpAuthority(trial.authority, transport).stamp(MESSAGE)


def test_a_silent_authority_is_said_so(trial: TrialAuthority) -> None:
    with pytest.raises(TimestampUnavailable, match="ConnectError"):
        HttpAuthority(trial.authority).stamp(MESSAGE)
