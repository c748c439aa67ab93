"""Using a drill or a session of the agents for what it is not: a release, a theft, a blockade."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest

from escrow.custody import records
from escrow.custody.errors import TooFewShares
from escrow.custody.sessions import Answer
from escrow.custody.shares import seal_shares
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.operations.keyholder.grounds import NotInLedger
from escrow.releases.errors import TooFewConfirmations
from escrow.vault import records as vault
from escrow.vault.age import decrypt_bytes, new_hybrid_identity
from escrow.vault.errors import BadShareFile, NoIdentityMatches
from escrow.vault.release_shares import open_release_share, seal_release_share

ON_SQLITE_ALONE = True


@pytest.fixture
def world(custody_world):
    return custody_world


def code_of(answer) -> str:
    assert answer.is_error, answer.text
    return answer.json()["code"]


def carried_out(world, session) -> bool:
    """Ask the keyholder directly, as a portal that was taken over can."""
    with contextlib.suppress(EscrowError):
        world.keyholder.carry_out_session(session)
    with world.database.reading() as found:
        newest = vault.newest_epoch(found, AgreementId(world.agreement))
        return newest is not None and newest.epoch > 1


def test_a_share_sealed_for_a_release_serves_no_session(world) -> None:
    held = world.begin_session("session")
    for agent in ("agent_1", "agent_2"):
        body = world.answer_body(
            held,
            agent,
            sealed=lambda _, one_time, share: seal_release_share(
                share, RequestId("req_of_another"), one_time
            ),
        )
        assert world.ask("POST", f"/custody/sessions/{held}/answers", agent, json=body).is_success
    with pytest.raises(TooFewShares):
        world.keyholder.carry_out_session(held)
    assert not carried_out(world, held)


def test_a_share_sealed_for_a_session_serves_no_release(world) -> None:
    held = world.begin_session("session")
    kept = {}

    def seal(challenge, one_time, share):
        # As if the keyholder's key of this session were that of a release.
        identity = new_hybrid_identity()
        kept["file"] = seal_shares(challenge, {0: (share.index, share.share)}, identity.recipient)
        kept["identity"] = identity
        return kept["file"]

    world.answer_body(held, "agent_1", sealed=seal)
    with pytest.raises(BadShareFile):
        open_release_share(kept["file"], kept["identity"])


def test_shares_given_for_a_session_do_not_count_as_confirmations(world) -> None:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    world.answer(held, "agent_2")
    with pytest.raises(TooFewConfirmations):
        world.keyholder.execute_release(RequestId(request))
    assert not world.ask("GET", f"/requests/{request}/release", "beneficiary").is_success


def test_a_drill_carries_no_share_out_of_the_house(world) -> None:
    drill = world.begin_session("drill")
    body = world.answer_body(drill, "agent_1")
    answer = Answer.from_bytes(base64.b64decode(body["document"]))
    assert answer.shares is None
    share = base64.b64decode(
        world.do("GET", f"/agreements/{world.agreement}/shares", "agent_1")["shares"][0]["file"]
    )
    assert share not in base64.b64decode(body["document"])


def test_an_answer_to_a_drill_is_replayed_in_another(world) -> None:
    first, second = world.begin_session("drill"), world.begin_session("drill")
    body = world.answer_body(first, "agent_1")
    path = f"/custody/sessions/{second}/answers"
    assert code_of(world.ask("POST", path, "agent_1", json=body)) == "custody.answer-for-other"


def test_a_drills_proof_is_worth_nothing_in_another_session(world) -> None:
    drill, held = world.begin_session("drill"), world.begin_session("session")
    old = Answer.from_bytes(base64.b64decode(world.answer_body(drill, "agent_1")["document"]))
    new = Answer.from_bytes(base64.b64decode(world.answer_body(held, "agent_1")["document"]))
    assert old.proofs[0].signature != new.proofs[0].signature


def test_an_agent_answers_with_a_colleagues_share(world) -> None:
    drill = world.begin_session("drill")
    answer = world.try_answering(drill, "agent_2", signer="agent_2", shares_of="agent_1")
    assert code_of(answer) == "custody.not-this-agents"


def test_a_party_answers_for_an_agent(world) -> None:
    drill = world.begin_session("drill")
    answer = world.try_answering(drill, "agent_1", signer="vendor")
    assert code_of(answer) == "custody.not-this-agents"


def test_one_agent_answers_twice(world) -> None:
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    assert code_of(world.try_answering(held, "agent_1")) == "custody.answer-taken"
    assert not carried_out(world, held)


def test_a_purpose_is_signed_for_another(world) -> None:
    held = world.begin_session("session")
    answer = world.try_answering(held, "agent_1", act={"purpose": "drill"})
    assert code_of(answer) == "custody.answer-for-other"


def test_an_answer_is_written_into_the_database(world) -> None:
    """A row without an agent's signature counts for nothing and spoils nobody's answer."""
    held = world.begin_session("session")
    world.answer(held, "agent_1")
    with world.database.writing() as session:
        [mine] = records.answers_of(session, held)
        forged = records.AnswerRow(
            session_id=held,
            signing_key=str(world.cast.signing_key("agent_2").public),
            act_sha256="0" * 64,
            envelope_json=json.dumps(json.loads(mine.envelope_json)),
            document=mine.document,
            given_at=world.clock.now(),
        )
        records.add(session, forged)
    assert not carried_out(world, held)
    with world.database.reading() as session:
        live = records.liveness_of(session, AgreementId(world.agreement), 1)
        assert [one.index for one in live] == [1]


def test_the_one_time_key_of_a_session_is_exchanged(world) -> None:
    """The client seals to the key that the keyholder logged, whatever a row says."""
    held = world.begin_session("session")
    with world.database.writing() as session:
        row = records.session_by_id(session, held)
        row.recipient = str(world.cast.identity("agent_3").recipient)
        records.add(session, row)
    body = world.answer_body(held, "agent_1")
    answer = Answer.from_bytes(base64.b64decode(body["document"]))
    with pytest.raises(NoIdentityMatches):
        decrypt_bytes(answer.shares or b"", [world.cast.identity("agent_3")])


def test_the_text_to_deal_to_is_exchanged_after_the_agents_were_asked(world) -> None:
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    with world.database.writing() as session:
        item = records.item(session, held, 0)
        item.version, item.text_sha256 = 2, "0" * 64
        records.add(session, item)
    with pytest.raises(NotInLedger):
        world.keyholder.carry_out_session(held)
    assert not carried_out(world, held)
