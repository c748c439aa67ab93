"""Acts of parties: one person, one key, one act."""

import json
from datetime import UTC, datetime

import pytest

from escrow.evidence import dsse
from escrow.evidence.acts import ACT_TYPE, build_act, parse_act, sign_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import ActByOtherKey, ActMalformed, EnvelopeSignatureWrong
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.testing.ledgers import named_key

KEY, OTHER = named_key("person"), named_key("somebody else")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUBJECT = {"agreement_id": "agr_1", "text_sha256": "ab" * 32}


def _act() -> bytes:
    return build_act("accept-agreement", SUBJECT, KEY.public, AT)


def test_an_act_holds_after_its_journey() -> None:
    payload = _act()
    sent = json.dumps(sign_act(payload, KEY).to_json())
    act = verify_act(Envelope.from_json(json.loads(sent)), KEY.public)
    assert (act.name, act.subject, act.at) == ("accept-agreement", SUBJECT, AT)
    assert (act.key, act.sha256) == (KEY.public, sha256_hex(payload))


def test_no_two_acts_are_equal() -> None:
    assert _act() != _act()


def test_nobody_signs_for_another() -> None:
    with pytest.raises(ActMalformed, match="names another key"):
        sign_act(_act(), OTHER)


def test_an_act_of_another_person_is_refused() -> None:
    with pytest.raises(ActByOtherKey, match="not signed with the expected key"):
        verify_act(sign_act(_act(), KEY), OTHER.public)


def test_an_act_that_names_another_key_is_refused() -> None:
    envelope = dsse.sign(ACT_TYPE, _act(), OTHER)
    with pytest.raises(ActByOtherKey, match="names another key"):
        verify_act(envelope, OTHER.public)


def test_a_changed_act_is_refused() -> None:
    envelope = sign_act(_act(), KEY)
    changed = Envelope(envelope.payload_type, _act(), envelope.signatures)
    with pytest.raises(EnvelopeSignatureWrong):
        verify_act(changed, KEY.public)


def test_a_statement_is_no_act() -> None:
    with pytest.raises(ActMalformed, match="no act"):
        verify_act(dsse.sign("application/vnd.in-toto+json", _act(), KEY), KEY.public)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("act", "release"),
        ("act", []),
        ("subject", "agr_1"),
        ("key", "ed25519:AAAA"),
        ("key", 5),
        ("nonce", "00"),
        ("nonce", None),
        ("at", "yesterday"),
        ("at", "2026-01-02T03:04:05"),
        ("extra", 1),
    ],
)
def test_another_shape_is_no_act(field: str, value: object) -> None:
    changed = canonical_json({**json.loads(_act()), field: value})
    with pytest.raises(ActMalformed):
        verify_act(dsse.sign(ACT_TYPE, changed, KEY), KEY.public)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"\xff", b" " * 70_000])
def test_other_bytes_are_no_act(payload: bytes) -> None:
    with pytest.raises(ActMalformed):
        parse_act(payload)


def test_an_act_has_one_form() -> None:
    with pytest.raises(ActMalformed):
        parse_act(_act().replace(b'":', b'": ', 1))


def test_unknown_acts_are_not_built() -> None:
    with pytest.raises(ActMalformed, match="'release' is no act"):
        build_act("release", SUBJECT, KEY.public, AT)
