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
from typing import cast

from agreements.terms import Agreement
from escrow.custody import records
from escrow.custody.errors import NotAccepted, TooFewShares
from escrow.custody.sessions import Answer, Challenge, Item, Purpose
from escrow.custody.shares import combine_shares, open_shares
from escrow.evidence.acts import parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ProvenChain
from escrow.ledger.events import Event, NewEvent, Stream
from escrow.operations.keyholder.ceremonies import DEALT, FILED, Ceremonies
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import IN_FORCE, proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.reopening import reopen_last_verified
from escrow.operations.keyholder.rewrapping import BURNT, reseal_headers
from escrow.register.reading import read_version
from escrow.register.status import is_bound
from escrow.vault import records as vault
from escrow.vault.age import HybridIdentity
from escrow.vault.ceremony import liveness_key
from escrow.vault.releasing import newest_agents_records

INTENDED = "custody:epoch:intended"
ACCEPTED = "register:agreement:accepted"

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
            on.sequencer.sequence(session)
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
                if kept.intended_sha256 is None:
                    self._intend(session, row, kept, ready)
        return intended

    def _execute_piece(
        self, row: records.SessionRow, intended: Sequence[tuple[int, Item]], given: Sequence[Given]
    ) -> None:
        on = self._on
        with on.database.writing() as session:
            on.sequencer.sequence(session)
            for place, item in intended:
                kept = records.item(session, row.id, place)
                # Looked at anew: between the two transactions anything may have been written,
                # and another call may have done it.
                if kept is not None and kept.done_at is None:
                    self._execute(session, row, kept, self._ready(session, place, item, given))

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
        accepted by every party of the one in force. 4. k agents, each for himself, gave the share
        that was dealt to him.

        Raises:
            HeadBehind, ChainBroken, ProofFails: question 1.
            NotInLedger: question 2.
            NotAccepted: question 3.
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
        dealt = _dealt_in(chain, epoch)
        # 3. the text
        check_text(session, chain, agreement_id, item)
        # 4. the shares
        terms, _ = read_version(session, agreement_id, cast("int", dealt.data["version"]))
        _check_filed(chain, terms, dealt.data["version"])
        keys = cast("list[str]", dealt.data["liveness_keys"])
        shares = list(_own_shares(place, terms, keys, given))
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


def check_text(session: Session, chain: ProvenChain, agreement_id: AgreementId, item: Item) -> None:
    """Return when a new key may be dealt to the agents of the text that a session names.

    Who may say so stands in the text *in force*: a new one that names other people as the parties
    is accepted by nobody.

    Raises:
        NotAccepted: it is neither in force nor accepted by every party of the one in force.
        NotInLedger: the stored text is not the one that was filed.
    """
    wanted = {"version": item.version, "text_sha256": item.text_sha256}
    texts = [one.event.data for one in chain.events if _is(one.event, IN_FORCE, "portal")]
    if not texts:
        raise NotAccepted
    # Read in any case: its agents are dealt to, so its row has to be what was logged.
    terms, version = read_version(session, agreement_id, item.version)
    if terms.text_sha256 != item.text_sha256:
        raise NotAccepted
    if wanted.items() <= texts[-1].items():
        return
    _check_filed(chain, terms, version)
    governing, _ = read_version(session, agreement_id, cast("int", texts[-1]["version"]))
    if governing.text_sha256 != texts[-1]["text_sha256"]:
        raise NotInLedger("The text in force is not the one that was logged.", "Nothing was dealt.")
    signed = frozenset(_signed_by(chain, agreement_id, wanted))
    if not all(is_bound(one, signed) for one in (governing.vendor, *governing.beneficiaries)):
        raise NotAccepted


def _signed_by(
    chain: ProvenChain, agreement_id: AgreementId, wanted: Mapping[str, object]
) -> Iterator[str]:
    """Yield the keys under which an acceptance of a text stands in the ledger, verbatim."""
    subject = {"agreement_id": agreement_id, **wanted}
    for one in chain.events:
        if not _is(one.event, ACCEPTED, "portal") or not wanted.items() <= one.event.data.items():
            continue
        envelope = Envelope.from_json(cast("dict[str, object]", one.event.data["act"]))
        act = verify_act(envelope, parse_act(envelope.payload).key)
        if act.name == "accept-agreement" and dict(act.subject) == subject:
            yield str(act.key)


def _own_shares(
    place: int, terms: Agreement, keys: Sequence[str], given: Sequence[Given]
) -> Iterator[tuple[str, bytes]]:
    """Yield act and share of each agent who gave his own, as it was dealt."""
    numbers = {agent.signing_key: number for number, agent in enumerate(terms.agents, 1)}
    for one in given:
        index, share = one.shares.get(place, (0, b""))
        # His own, and not one that a colleague lent him: two words over one share open nothing.
        is_his = index and numbers.get(one.key) == index <= len(keys)
        if is_his and str(liveness_key(share).public) == keys[index - 1]:
            yield one.act_sha256, share


def _dealt_in(chain: ProvenChain, epoch: vault.SealingEpochRow) -> Event:
    facts = {
        "epoch": epoch.epoch,
        "k": epoch.k,
        "n": epoch.n,
        "recipient_sha256": sha256_hex(epoch.recipient.encode()),
    }
    for one in chain.events:
        if _is(one.event, DEALT, KEYHOLDER) and facts.items() <= one.event.data.items():
            return one.event
    raise NotInLedger("The ledger does not bear out the sealing key.", "Nothing was opened.")


def _check_filed(chain: ProvenChain, terms: Agreement, version: object) -> None:
    filed = {"version": version, "text_sha256": terms.text_sha256}
    if not any(
        _is(one.event, FILED, "portal") and filed.items() <= one.event.data.items()
        for one in chain.events
    ):
        raise NotInLedger("The ledger does not bear out who the agents are.", "Nothing was opened.")


def _is(event: Event, event_type: str, role: str) -> bool:
    return (event.type, event.role) == (event_type, role)


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
