import pytest

from escrow.ground.signatures import SigningKey
from escrow.vault.age import new_hybrid_identity, open_header, parse_recipient, wrap_file_key
from escrow.vault.errors import BadLaneAnnouncement
from escrow.vault.lanes import lane_statement, new_lane, verify_lane

SIGNER = SigningKey.from_seed(bytes(32))


def test_an_announcement_of_the_keyholder_is_taken() -> None:
    sent = new_lane("dep_1").announce(SIGNER)
    assert verify_lane("dep_1", sent.recipient, sent.signature, SIGNER.public) == sent


def test_an_announcement_for_another_deposit_is_refused() -> None:
    sent = new_lane("dep_1").announce(SIGNER)
    with pytest.raises(BadLaneAnnouncement):
        verify_lane("dep_2", sent.recipient, sent.signature, SIGNER.public)


def test_a_lane_of_someone_else_is_refused() -> None:
    sent, mine = new_lane("dep_1").announce(SigningKey.generate()), new_lane("dep_1")
    with pytest.raises(BadLaneAnnouncement):
        verify_lane("dep_1", sent.recipient, sent.signature, SIGNER.public)
    with pytest.raises(BadLaneAnnouncement):
        verify_lane("dep_1", str(mine.identity.recipient), b"", SIGNER.public)


def test_a_signed_key_of_another_kind_is_refused() -> None:
    recipient = str(new_hybrid_identity().recipient)
    signature = SIGNER.sign(lane_statement("dep_1", recipient))
    with pytest.raises(BadLaneAnnouncement):
        verify_lane("dep_1", recipient, signature, SIGNER.public)


def test_a_lane_opens_what_was_sealed_to_its_announcement(file_key) -> None:
    lane = new_lane("dep_1")
    header = wrap_file_key(file_key, [parse_recipient(lane.announce(SIGNER).recipient)])
    assert open_header(header, [lane.identity]) == file_key
    assert lane.identity.reveal() not in repr(lane)


def test_every_lane_is_fresh() -> None:
    assert new_lane("dep_1").identity != new_lane("dep_1").identity
