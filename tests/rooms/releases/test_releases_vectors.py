"""The published vectors of a release: made by this code, and refused once anything is changed."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agreements.parsing import parse_agreement
from escrow.evidence.acts import parse_act, verify_act
from escrow.evidence.checking import check_document
from escrow.evidence.dsse import Envelope
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ledger.chains import Chain, verify_chain
from escrow.ledger.errors import ChainBroken
from escrow.releases.decision import decide
from escrow.releases.errors import HistoryBroken, OfferBroken, TooFewConfirmations
from escrow.releases.history import fold
from escrow.releases.offers import parse_offer
from escrow.testing.release_vectors import AT, REQUEST, STREAM, Sealed, vectors
from escrow.vault.age import HybridIdentity, open_header, parse_identity
from escrow.vault.errors import HeaderForged, ShareOfAnother
from escrow.vault.release_shares import combine_release_shares, open_release_share

FILE = Path(__file__).resolve().parents[3] / "docs/protocol/vectors/release-1.json"

# A minute after the last event that the vectors hold before the intent.
DECIDED = AT + timedelta(minutes=5)


@pytest.fixture(scope="module")
def published() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def root(published: dict) -> TrustRoot:
    return TrustRoot.from_json(json.dumps(published["trust_root"]))


@pytest.fixture(scope="module")
def proven(published: dict, root: TrustRoot):
    return verify_chain(Chain.from_json(published["chain"]), root.ledger_keys, STREAM)


def _opened(published: dict) -> list:
    one_time = HybridIdentity(bytes.fromhex(published["one_time_seed"]))
    return [
        open_release_share(base64.b64decode(one["file"]), one_time) for one in published["shares"]
    ]


def test_the_published_vectors_are_what_this_code_makes(published: dict) -> None:
    assert published == vectors(Sealed.published(published))


def test_every_published_act_holds_under_the_key_that_the_agreement_pins(published: dict) -> None:
    terms = parse_agreement(published["agreement_text"])
    for name, text in published["acts"].items():
        envelope = Envelope.from_json(text)
        act = verify_act(envelope, parse_act(envelope.payload).key)
        assert act.name == name.partition(" ")[0]
        assert terms.person_of_key(str(act.key)) is not None


def test_an_act_of_which_one_letter_was_changed_is_refused(published: dict) -> None:
    for text in published["acts"].values():
        envelope = Envelope.from_json(text)
        key = parse_act(envelope.payload).key
        other = envelope.payload.replace(b'"agr_01"', b'"agr_02"')
        assert other != envelope.payload
        with pytest.raises(EscrowError):
            verify_act(replace(envelope, payload=other), key)


def test_the_published_history_leads_to_the_release(published: dict, proven) -> None:
    terms = parse_agreement(published["agreement_text"])
    before = [one for one in proven.events if not one.event.type.startswith("releases:release:")]
    decision = decide(fold(before, REQUEST, terms), before, terms, 2, DECIDED)
    intended = proven.events[-2].event.data
    acts = [one.given.act.sha256 for one in decision.confirmations]
    assert decision.approval.by == intended["approved_by"] == "consent"
    assert acts == intended["confirmations"]
    assert intended["head"] == before[-1].entry_sha256
    assert fold(proven.events, REQUEST, terms).state == "released"


def test_a_history_with_one_confirmation_does_not_lead_to_it(published: dict, proven) -> None:
    terms = parse_agreement(published["agreement_text"])
    before = proven.events[:4]
    with pytest.raises(TooFewConfirmations):
        decide(fold(before, REQUEST, terms), before, terms, 2, DECIDED)


def test_a_confirmation_that_a_portal_made_of_another_act_breaks_the_history(
    published: dict, proven
) -> None:
    terms = parse_agreement(published["agreement_text"])
    given = proven.events[3]
    data = {**given.event.data, "act": published["acts"]["consent-to-release"]}
    forged = replace(given, event=replace(given.event, data=data))
    with pytest.raises(HistoryBroken):
        fold([*proven.events[:3], forged], REQUEST, terms)


@pytest.mark.parametrize("place", range(6))
def test_a_chain_without_one_of_its_entries_is_refused(
    published: dict, root: TrustRoot, place: int
) -> None:
    chain = Chain.from_json(published["chain"])
    entries = chain.entries[:place] + chain.entries[place + 1 :]
    # What was cut off in front is for the reader to miss: the rest is a true stretch.
    short = replace(chain, entries=entries)
    if place == 0:
        assert verify_chain(short, root.ledger_keys, STREAM).events[0].event.sequence == 1
    else:
        with pytest.raises(ChainBroken):
            verify_chain(short, root.ledger_keys, STREAM)


def test_the_published_offer_has_its_digest_and_no_other(published: dict) -> None:
    text = published["offer"].encode()
    offer = parse_offer(text, published["offer_sha256"])
    assert (offer.to_bytes(), sha256_hex(text)) == (text, published["offer_sha256"])
    assert [one.part_id for one in offer.sent_parts()] == ["prt_01"]
    handed_over = [one.part_id for one in offer.sent_parts()]
    assert offer.not_handed_over(handed_over) == ("prt_00",)
    with pytest.raises(OfferBroken):
        parse_offer(text.replace(b"true", b"false"), published["offer_sha256"])


def test_the_published_shares_open_and_combine_to_the_sealing_key(published: dict) -> None:
    opened = _opened(published)
    assert [one.share.hex() for one in opened] == [one["share"] for one in published["shares"]]
    assert {(one.request_id, one.epoch) for one in opened} == {(REQUEST, 1)}
    sealing = HybridIdentity(bytes.fromhex(published["sealing_seed"]))
    assert combine_release_shares(opened, str(sealing.recipient)) == sealing


def test_a_changed_share_combines_to_no_sealing_key(published: dict) -> None:
    first, second = _opened(published)
    changed = replace(first, share=bytes([first.share[0] ^ 1]) + first.share[1:])
    sealing = HybridIdentity(bytes.fromhex(published["sealing_seed"]))
    with pytest.raises(ShareOfAnother):
        combine_release_shares([changed, second], str(sealing.recipient))


def test_the_published_header_opens_with_the_pinned_recipients_key(published: dict) -> None:
    vector = published["header"]
    identity, header = parse_identity(vector["identity"]), vector["header"].encode()
    request = parse_act(Envelope.from_json(published["acts"]["file-release-request"]).payload)
    assert str(identity.recipient) == request.subject["recipient"]
    assert open_header(header, [identity]).raw.hex() == vector["file_key"]
    with pytest.raises(HeaderForged):
        open_header(header[:-2] + (b"A" if header[-2:-1] != b"A" else b"E") + b"\n", [identity])


def test_the_published_certificate_holds_and_a_changed_one_does_not(
    published: dict, root: TrustRoot
) -> None:
    text = json.dumps(published["certificate"])
    checked = check_document(text, root)
    assert checked.facts()["request"] == REQUEST
    payload = published["certificate"]["bundle"]["dsseEnvelope"]["payload"]
    other = base64.b64decode(payload).replace(b'"consent"', b'"silence"')
    with pytest.raises(EscrowError):
        check_document(text.replace(payload, base64.b64encode(other).decode()), root)
