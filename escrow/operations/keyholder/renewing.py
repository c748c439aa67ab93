"""Carry out what k agents gave their shares for: a new key, and every retained header under it.

For each agreement two transactions, many agreements in one. First an entry says what is about to
be done and on whose acts; then the seed is combined, what the session is for is done, a new key is
dealt, every retained header is sealed to it, and the combined one is burnt, or none of all that.
After a kill the session goes on with the agreements that are not done. The combined seed lives in
one frame and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from escrow.custody import records
from escrow.custody.errors import TooFewShares
from escrow.custody.sealing_keys import DEALT, Dealt
from escrow.custody.sessions import Answer, Challenge, Item, Purpose
from escrow.custody.shares import combine_shares, open_shares
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ProvenChain
from escrow.ledger.errors import NotWitnessed
from escrow.ledger.events import Event, NewEvent, Stream
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import begin_proving, proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.reopening import reopen_last_verified
from escrow.operations.keyholder.rewrapping import BURNT, reseal_headers
from escrow.operations.keyholder.rights import check_witnessed
from escrow.operations.keyholder.texts import check_text, dealt_key, read_texts
from escrow.vault import records as vault
from escrow.vault.age import HybridIdentity
from escrow.vault.ceremony import liveness_key
from escrow.vault.releasing import newest_agents_records

INTENDED = "custody:epoch:intended"

# One checkpoint and one transaction for so many; a push waits for the writer that long: a second.
_AGREEMENTS_PER_PIECE = 25

_log = logging.getLogger("escrow.keyholder")


@dataclass(frozen=True)
class Given:
    """What one agent gave for a session, opened; not yet compared with what was dealt.

    Args:
        shares: place of the agreement → number and bytes of the share.
    """

    key: str
    act_sha256: str
    shares: Mapping[int, tuple[int, bytes]] = field(repr=False)

    @classmethod
    def of(
        cls,
        key: str,
        act_sha256: str,
        answer: Answer,
        challenge: Challenge,
        one_time: HybridIdentity,
    ) -> Given:
        """Return what an answer holds; nothing where its file of shares does not open."""
        try:
            opened = open_shares(answer.shares or b"", challenge, one_time)
        except EscrowError as problem:
            _log.error("the shares of one answer do not open: %s", problem)
            opened = {}
        return cls(key, act_sha256, opened)


@dataclass(frozen=True)
class _Ready:
    """One agreement whose shares are there and right."""

    item: Item
    stream: Stream
    chain: ProvenChain
    epoch: vault.SealingEpochRow
    shares: tuple[bytes, ...] = field(repr=False)
    acts: tuple[str, ...]


class Renewals:
    """The keyholder's part in sessions that need shares."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def carry_out(
        self, row: records.SessionRow, items: Sequence[Item], given: Sequence[Given]
    ) -> list[EscrowError]:
        """Carry out every agreement that can be, and return what kept the others."""
        problems = list[EscrowError]()
        places = iter(enumerate(items))
        while piece := list(islice(places, _AGREEMENTS_PER_PIECE)):
            intended = self._intend_piece(row, piece, given, problems)
            self._on.sequence()
            try:
                self._execute_piece(row, intended, given)
            except NotWitnessed as problem:
                # All of it waits for the same outsiders.
                problems.append(problem)
            except EscrowError:
                # One that does not hold must not keep the others waiting: each by itself, then.
                for one in intended:
                    try:
                        self._execute_piece(row, [one], given)
                    except EscrowError as problem:
                        problems.append(problem)
        return problems

    def _intend_piece(
        self,
        row: records.SessionRow,
        piece: Sequence[tuple[int, Item]],
        given: Sequence[Given],
        problems: list[EscrowError],
    ) -> list[tuple[int, Item]]:
        """Log what is about to be done, and return the agreements for which it can be."""
        on, intended = self._on, []
        with on.database.writing() as session:
            begin_proving(on, session)
            for place, item in piece:
                kept = records.item(session, row.id, place)
                if kept is None or kept.done_at is not None:
                    continue
                try:
                    ready = self._ready(session, place, item, given)
                except EscrowError as problem:
                    problems.append(problem)
                    continue
                intended.append((place, item))
                # By the ledger: a row that says so stands in for no intent.
                if _intent_of(row, ready) is None:
                    self._intend(session, row, kept, ready)
        return intended

    def _execute_piece(
        self, row: records.SessionRow, intended: Sequence[tuple[int, Item]], given: Sequence[Given]
    ) -> None:
        """Carry out what is intended, all of it or nothing.

        Raises:
            NotWitnessed: no quorum of witnesses has seen every intent yet.
            EscrowError: one agreement does not hold any more.
        """
        on = self._on
        with on.database.writing() as session:
            begin_proving(on, session)
            work = []
            for place, item in intended:
                kept = records.item(session, row.id, place)
                # Looked at anew: between the two transactions anything may have been written,
                # and another call may have done it.
                if kept is not None and kept.done_at is None:
                    work.append((kept, self._ready(session, place, item, given)))
            intents = [_intent_of(row, ready) for _, ready in work]
            if intents:
                check_witnessed(on, session, *(one or "" for one in intents))
            for kept, ready in work:
                self._execute(session, row, kept, ready)

    def _ready(
        self,
        session: Session,
        place: int,
        item: Item,
        given: Sequence[Given],
    ) -> _Ready:
        """Return an agreement with its shares, once everything about it is proven.

        1. Its stream is whole, and reaches as far as the keyholder has seen it. 2. The epoch was
        dealt in it. 3. The text to deal to is the one that the session names, and is in force, or
        waits and was accepted by everybody who has to. 4. k agents, each for himself, gave the
        share that was dealt to him.

        Raises:
            HeadBehind, ChainBroken, ProofFails: question 1.
            NotInLedger: question 2.
            NotAccepted, AgreementTextTampered: question 3.
            TooFewShares: question 4.
        """
        on, agreement_id = self._on, AgreementId(item.agreement_id)
        # 1. the stream
        stream = Stream("agreement", agreement_id)
        chain = proven_stream(on, session, stream)
        on.heads.check_reaches(stream, chain)
        # 2. the epoch
        epoch = vault.epoch_of(session, agreement_id, item.epoch)
        if epoch is None:
            raise NotInLedger("The ledger bears out no such key.", "Nothing was opened.")
        texts = read_texts(session, agreement_id, chain)
        dealt = dealt_key(chain, texts, epoch)
        # 3. the text
        check_text(texts, item)
        # 4. the shares
        shares = list(_own_shares(place, dealt, given))
        if len(shares) < epoch.k:
            raise TooFewShares(len(shares), epoch.k)
        return _Ready(
            item,
            stream,
            chain,
            epoch,
            tuple(share for _, share in shares),
            tuple(act for act, _ in shares),
        )

    def _intend(
        self,
        session: Session,
        row: records.SessionRow,
        kept: records.ItemRow,
        ready: _Ready,
    ) -> None:
        data: dict[str, object] = {
            "session_id": row.id,
            "purpose": row.purpose,
            "epoch": ready.epoch.epoch,
            "version": ready.item.version,
            "text_sha256": ready.item.text_sha256,
            "acts": list(ready.acts),
        }
        event = NewEvent(ready.stream, INTENDED, KEYHOLDER, data)
        kept.intended_sha256 = self._on.scribe.append(session, event).entry_sha256
        records.add(session, kept)

    def _execute(
        self, session: Session, row: records.SessionRow, kept: records.ItemRow, ready: _Ready
    ) -> None:
        on, agreement_id = self._on, AgreementId(ready.item.agreement_id)
        identity = combine_shares(ready.shares, ready.epoch.recipient)
        rows = vault.headers_of_agreement(session, agreement_id)
        newest = newest_agents_records(rows, frozenset({ready.epoch.epoch}))
        if row.purpose == Purpose.SESSION:
            reopen_last_verified(on, session, row, ready.chain, list(newest.values()), identity)
        fresh = Ceremonies(on).deal(session, agreement_id, ready.item.version)
        reseal_headers(on, session, ready.stream, list(newest.values()), identity, fresh)
        vault.mark_burnt(session, ready.epoch, on.clock.now())
        burnt = {"epoch": ready.epoch.epoch, "session_id": row.id}
        on.scribe.append(session, NewEvent(ready.stream, BURNT, KEYHOLDER, burnt))
        kept.fresh_epoch, kept.done_at = fresh.epoch, on.clock.now()
        records.add(session, kept)


def _intent_of(row: records.SessionRow, ready: _Ready) -> str | None:
    """Return the entry by which this session's work on an agreement was intended; None before."""
    said = {"session_id": row.id, "epoch": ready.epoch.epoch}
    for one in ready.chain.events:
        is_intent = (one.event.type, one.event.role) == (INTENDED, KEYHOLDER)
        if is_intent and said.items() <= one.event.data.items():
            return one.entry_sha256
    return None


def _own_shares(place: int, dealt: Dealt, given: Sequence[Given]) -> Iterator[tuple[str, bytes]]:
    """Yield act and share of each agent who gave his own, as it was dealt."""
    numbers = {agent.signing_key: number for number, agent in enumerate(dealt.terms.agents, 1)}
    keys = dealt.liveness_keys
    for one in given:
        index, share = one.shares.get(place, (0, b""))
        # His own, and not one that a colleague lent him: two words over one share open nothing.
        is_his = index and numbers.get(one.key) == index <= len(keys)
        if is_his and str(liveness_key(share).public) == keys[index - 1]:
            yield one.act_sha256, share


def dealt_event(on: Grounds, session: Session, epoch: vault.SealingEpochRow) -> Event:
    """Return the keyholder's own proven event of a dealing.

    Raises:
        NotInLedger, ProofFails: the row is not what it logged.
    """
    facts: Mapping[str, object] = {
        "epoch": epoch.epoch,
        "k": epoch.k,
        "n": epoch.n,
        "recipient_sha256": sha256_hex(epoch.recipient.encode()),
    }
    return on.stated(session, Stream("agreement", epoch.agreement_id), DEALT, KEYHOLDER, facts)
