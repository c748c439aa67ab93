"""What the keyholder may believe about one request: rows, each borne out by proven events."""

from __future__ import annotations

from dataclasses import dataclass

from agreements.requests import State
from agreements.terms import Agreement
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.chains import ChainedEvent, ProvenChain, read_chain, verify_chain
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_newest
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.rights import with_sure_times
from escrow.operations.keyholder.texts import dealt_key, keys_to_seal_to, read_texts
from escrow.register.governing import Texts
from escrow.register.reading import read_version
from escrow.releases import records as releases
from escrow.releases.errors import AgreementChanged, RequestUnknown
from escrow.releases.history import History, fold
from escrow.vault import records


@dataclass(frozen=True)
class Evidence:
    """One request with everything that a decision rests on, proven.

    Attributes:
        chain: the agreement's whole stream, up to its newest entry.
        terms, version: under which the request was filed, as a proven entry names them.
        epoch: the sealing key that is needed, as a proven ceremony dealt it.
        liveness_keys: of its shares, in the order of their numbers.
        holders: share recipients of the agents that they were dealt to, in the same order.
    """

    request_id: RequestId
    agreement_id: AgreementId
    chain: ProvenChain
    terms: Agreement
    version: int
    epoch: records.SealingEpochRow
    liveness_keys: tuple[str, ...]
    holders: tuple[str, ...]
    history: History

    @property
    def events(self) -> tuple[ChainedEvent, ...]:
        """Of the agreement's stream."""
        return self.chain.events

    @property
    def stream(self) -> Stream:
        """The agreement's stream."""
        return Stream("agreement", self.agreement_id)


def gather(on: Grounds, session: Session, request_id: RequestId) -> Evidence:
    """Return what the proven events of the agreement say about a request.

    1. The stream is whole, signed and in the tree, and reaches as far as the keyholder has seen
    it. 2. The request's text came into force in this stream, accepted by everybody who has to.
    3. Nothing came into force since, unless the release was intended before. 4. The epoch of the
    open round, or else the one that counts, was dealt in this stream.

    Args:
        session: open for writing.

    Raises:
        RequestUnknown: no row, or no filing in the stream.
        HeadBehind, ChainBroken, ProofFails, RolledBack, OtherHistory: question 1.
        NotInLedger, AgreementTextTampered: question 2 or 4.
        AgreementChanged: question 3.
        HistoryBroken: an act is not what it seems.
    """
    row = releases.request_by_id(session, request_id)
    if row is None:
        raise RequestUnknown
    agreement_id = AgreementId(row.agreement_id)
    begin_proving(on, session)
    # 1. the stream
    chain = proven_stream(on, session, Stream("agreement", agreement_id))
    on.heads.check_reaches(Stream("agreement", agreement_id), chain)
    # 2. the terms
    terms, version = read_version(session, agreement_id, row.version)
    texts = read_texts(session, agreement_id, chain)
    in_force = [one.text for one in texts.in_force]
    if (version, terms.text_sha256) not in in_force:
        raise _not_borne_out("the text of the agreement")
    history = with_sure_times(on, session, fold(chain.events, request_id, terms), chain.events)
    # 3. the version
    if in_force[-1] != (version, terms.text_sha256) and not history.intended:
        raise AgreementChanged
    # 4. the epoch
    epoch = _epoch(session, chain, texts, history)
    dealt = dealt_key(chain, texts, epoch)
    holders = tuple(agent.share_recipient for agent in dealt.terms.agents)
    return Evidence(
        request_id,
        agreement_id,
        chain,
        terms,
        version,
        epoch,
        dealt.liveness_keys,
        holders,
        history,
    )


def begin_proving(on: Grounds, session: Session) -> None:
    """Make whole streams provable in this transaction, on a tree that outsiders have not outrun.

    Others write all the time: what came last is taken into the tree in this very transaction, so
    that nothing stands behind the head. No checkpoint of it leaves before the commit.

    Args:
        session: open for writing.

    Raises:
        RolledBack, OtherHistory: the tree does not continue what witnesses have cosigned.
    """
    on.sequencer.sequence(session)
    on.outside.check_remembered(session)
    on.outside.remember(session)


def proven_stream(on: Grounds, session: Session, stream: Stream) -> ProvenChain:
    """Return a whole stream, proven, with nothing behind its head.

    Raises:
        NotInLedger: it is empty, or its newest entry is not sequenced yet.
        ProofFails: it does not hold.
    """
    chain = read_chain(session, stream)
    if chain is None:
        raise _not_borne_out(f"anything in {stream}")
    proven = verify_chain(chain, on.trusted, stream)
    newest = read_newest(session, stream, 1)[0]
    if proven.events[0].event.sequence != 0 or newest.entry_sha256 != proven.head_sha256:
        raise NotInLedger(
            f"{stream} has entries that are not sequenced yet.",
            "Try again in a moment; nothing was opened.",
        )
    return proven


def _epoch(
    session: Session, chain: ProvenChain, texts: Texts, history: History
) -> records.SealingEpochRow:
    """Return the sealing key that the round's agents gave shares of, or the one that counts."""
    opened = history.openings[-1].data["epoch"] if history.openings else None
    is_open = history.state in (State.CONFIRMING, State.EXECUTING, State.RELEASED)
    if not is_open or opened is None:
        return keys_to_seal_to(session, chain, texts)[0]
    found = records.epoch_of(session, texts.agreement_id, int(opened))
    if found is None:
        raise _not_borne_out("a sealing key that counts")
    return found


def _not_borne_out(what: str) -> NotInLedger:
    return NotInLedger(
        f"The ledger does not bear out {what}.",
        "Nothing was opened; the operator has to compare database and ledger.",
    )
