"""DSSE: the bytes that are signed, and nobody else's signature."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence.dsse import MAX_PAYLOAD_BYTES, Envelope, pae, sign, verify_envelope
from escrow.evidence.errors import EnvelopeMalformed, EnvelopeSignatureWrong, SignerUnknown
from escrow.testing.ledgers import named_key

KEY, OTHER = named_key("a"), named_key("b")
KEYS = {KEY.public.key_id: KEY.public}


def test_pae_is_the_protocols_own_example() -> None:
    # protocol.md of DSSE, "Test vectors".
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes() -> None:
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_an_envelope_reads_back_and_verifies() -> None:
    envelope = Envelope.from_json(sign("text/plain", b"\0\xff", KEY).to_json())
    verified = verify_envelope(envelope, KEYS)
    assert (verified.payload_type, verified.payload) == ("text/plain", b"\0\xff")
    assert verified.key_ids == (KEY.public.key_id,)


def test_unknown_signatures_are_passed_over() -> None:
    one, other = sign("a/b", b"x", KEY), sign("a/b", b"x", OTHER)
    both = replace(one, signatures=other.signatures + one.signatures)
    assert verify_envelope(both, KEYS).key_ids == (KEY.public.key_id,)


def test_nobody_known_signed() -> None:
    with pytest.raises(SignerUnknown):
        verify_envelope(sign("a/b", b"x", OTHER), KEYS)


def test_a_wrong_signature_beside_a_right_one_refuses_all() -> None:
    envelope = sign("a/b", b"x", KEY)
    wrong = ((KEY.public.key_id, bytes(64)),)
    with pytest.raises(EnvelopeSignatureWrong):
        verify_envelope(replace(envelope, signatures=envelope.signatures + wrong), KEYS)


def test_the_payload_type_is_signed() -> None:
    with pytest.raises(EnvelopeSignatureWrong):
        verify_envelope(replace(sign("a/b", b"x", KEY), payload_type="a/c"), KEYS)


GOOD = sign("a/b", b"x", KEY).to_json()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {**GOOD, "payload": "?"},
        {**GOOD, "payload": 5},
        {**GOOD, "payloadType": None},
        {**GOOD, "signatures": []},
        {**GOOD, "signatures": [{}]},
        {**GOOD, "signatures": ["x"]},
        {**GOOD, "signatures": [{"sig": "AA=="}] * 65},
    ],
)
def test_another_shape_is_no_envelope(value: object) -> None:
    with pytest.raises(EnvelopeMalformed):
        Envelope.from_json(value)


def test_a_huge_payload_is_refused() -> None:
    envelope = sign("a/b", bytes(MAX_PAYLOAD_BYTES + 1), KEY)
    with pytest.raises(EnvelopeMalformed, match="limits"):
        Envelope.from_json(envelope.to_json())


def test_stock_openssl_verifies_the_signature(tmp_path: Path) -> None:
    envelope = sign("application/vnd.in-toto+json", b"{}", KEY)
    (tmp_path / "key.pem").write_text(KEY.public.pem)
    (tmp_path / "signature").write_bytes(envelope.signatures[0][1])
    (tmp_path / "pae").write_bytes(pae(envelope.payload_type, envelope.payload))
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in pae -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert b"Verified Successfully" in done.stdout
