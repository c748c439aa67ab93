"""Take what an agent answered, in one act for the whole session, and keep it verbatim.

Checked here: that the act is signed, is about this session and this answer, and by an agent of
it. Whether the shares are held is checked by the keyholder, which alone knows what it dealt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from escrow.custody import records
from escrow.custody.errors import (
    AnswerForOther,
    AnswerMalformed,
    AnswerTaken,
    NotThisAgents,
    SessionNotOpen,
    SessionOver,
    SessionUnknown,
)
from escrow.custody.sessions import (
    WITH_SHARES,
    Answer,
    Challenge,
    Item,
    Purpose,
    answer_subject,
    check_answer_subject,
)
from escrow.evidence.acts import Act, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import EnvelopeSignatureWrong
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.parties.events import INSTALLATION
from escrow.register.errors import ActSignatureWrong
from escrow.register.subjects import check_act_time

ANSWERED = "custody:session:answered"


def take_answer(
    session: Session,
    session_id: str,
    envelope: Envelope,
    document: bytes,
    scribe: Scribe,
    clock: Clock,
) -> None:
    """Keep an agent's answer and log his act.

    1. The session is open and its time is not over. 2. The act is signed by the key that it
    names, now. 3. It is about this session and this answer. 4. The signer is an agent to whom a
    share of it was dealt, and answers for his own shares. 5. He has not answered before.

    Raises:
        SessionUnknown, SessionNotOpen, SessionOver: question 1.
        ActMalformed, ActSignatureWrong, ActByOtherKey, ActTimeImplausible: question 2.
        AnswerForOther, AnswerMalformed: question 3.
        NotThisAgents: question 4.
        AnswerTaken: question 5.
    """
    now = clock.now()
    # 1. the session
    row = records.session_by_id(session, session_id)
    if row is None:
        raise SessionUnknown
    if row.entry_sha256 is None or row.ends_at is None:
        raise SessionNotOpen
    if row.ended_at is not None or now >= row.ends_at:
        raise SessionOver
    # 2. the act
    act = _verified(envelope)
    check_act_time(act.at, now)
    # 3. what it is about
    if act.name != "answer-custody":
        raise AnswerForOther
    expected = answer_subject(challenge_of(row), row.items_root or "", row.entry_sha256, document)
    check_answer_subject(act.subject, expected)
    answer = Answer.from_bytes(document)
    if (answer.shares is not None) != (row.purpose in WITH_SHARES):
        raise AnswerMalformed("shares are given where none are asked for, or the other way round")
    # 4. the signer
    items = [item_of(one) for one in records.items_of(session, session_id)]
    _check_own_shares(session, session_id, items, answer, str(act.key))
    # 5. once
    if str(act.key) in {one.signing_key for one in records.answers_of(session, session_id)}:
        raise AnswerTaken
    kept = records.AnswerRow(
        session_id=session_id,
        signing_key=str(act.key),
        act_sha256=act.sha256,
        envelope_json=json.dumps(envelope.to_json()),
        document=document,
        given_at=now,
    )
    records.add(session, kept)
    scribe.append(session, _event(session_id, items, act, envelope))


def challenge_of(row: records.SessionRow) -> Challenge:
    """Return what an open session asks."""
    return Challenge(row.id, Purpose(row.purpose), row.nonce or "")


def item_of(row: records.ItemRow) -> Item:
    """Return one agreement of an open session."""
    return Item(row.agreement_id, row.epoch, row.k, row.n, row.version, row.text_sha256)


def _verified(envelope: Envelope) -> Act:
    unverified = parse_act(envelope.payload)
    try:
        return verify_act(envelope, unverified.key)
    except EnvelopeSignatureWrong:
        raise ActSignatureWrong from None


def _check_own_shares(
    session: Session, session_id: str, items: Sequence[Item], answer: Answer, key: str
) -> None:
    dealt = records.shares_in_session(session, session_id, key)
    own = {(place, one.index) for place, one in dealt}
    for proof in answer.proofs:
        if proof.place >= len(items):
            raise AnswerMalformed("it names an agreement that is not in the session")
        if (proof.place, proof.index) not in own:
            raise NotThisAgents


def _event(session_id: str, items: list[Item], act: Act, envelope: Envelope) -> NewEvent:
    data = {"session_id": session_id, "act_sha256": act.sha256, "act": envelope.to_json()}
    return NewEvent(stream_of(items), ANSWERED, f"key:{act.key.key_id}", data)


def stream_of(items: Sequence[Item]) -> Stream:
    """Return where a session's own events stand: of one agreement in its history, else apart."""
    return Stream("agreement", items[0].agreement_id) if len(items) == 1 else INSTALLATION
