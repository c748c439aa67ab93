"""Sessions of the agents: the keyholder opens them, and notes who proved that he holds his share.

It finds out itself which key of which agreement is meant, as the ledger has it, and logs that
before anybody is asked. A proof is a signature under the liveness key that it logged when it
dealt the share; no row can stand in for one.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from escrow.custody import records
from escrow.custody.answering import challenge_of, item_of, stream_of
from escrow.custody.errors import CanaryWaits, SessionNotOpen, SessionUnknown
from escrow.custody.sessions import (
    ANSWERING_TIME,
    CHALLENGE_BYTES,
    MAX_AGREEMENTS,
    WITH_SHARES,
    Answer,
    Item,
    Proof,
    Purpose,
    answer_subject,
    check_answer_subject,
    holds_share,
    items_root,
)
from escrow.evidence.acts import verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ground.signatures import PublicKey
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import begin_proving
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.renewing import Given, Renewals, dealt_event
from escrow.register import records as register
from escrow.vault import records as vault
from escrow.vault.age import HybridIdentity, new_hybrid_identity, parse_identity

OPENED = "custody:session:opened"
LIVE = "custody:agents:live"
ENDED = "custody:session:ended"

# Whoever pushes meanwhile waits for one such piece: a tenth of a second.
_AGREEMENTS_PER_PIECE = 100

_AAD_LABEL = b"escrow-custody-session/1\0"

# What a row that anybody wrote makes of our parsers: no JSON, no text, nested without end.
_OTHER_FORMS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

_log = logging.getLogger("escrow.keyholder")


@dataclass(frozen=True)
class _Checked:
    """One agent's answer: the act that signed it, and the proofs that hold."""

    key: str
    act_sha256: str
    answer: Answer


class Custody:
    """The keyholder's dealings with sessions of the agents."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds
        # What was proven once stays so: the liveness keys by agreement, epoch and public key.
        self._proven: dict[tuple[str, int, str], list[str]] = {}

    def open_session(self, session_id: str) -> None:
        """Log what is asked, under which fresh nonce and one-time key; repeatable.

        Raises:
            SessionUnknown: nobody asked for it.
            CanaryWaits: shares are asked for while a newer key waits for its canary. The wish ends
                with it: one that stood would keep all its agreements from being asked.
            NotInLedger, ProofFails: a row says what nobody logged.
            RolledBack, OtherHistory: the ledger does not continue what witnesses have cosigned.
        """
        on = self._on
        on.sequence()
        with on.database.reading() as session:
            row = _row(session, session_id)
            if row.entry_sha256 is not None:
                return
        try:
            items = self._items(session_id)
        except CanaryWaits:
            self._give_up(session_id)
            raise
        with on.database.writing() as session:
            begin_proving(on, session)
            row = _row(session, session_id)
            if row.entry_sha256 is None and row.ended_at is None:
                self._log_opening(session, row, items)
        on.sequence()

    def settle_session(self, session_id: str) -> None:
        """Note every proof that holds; where shares were given by all, carry the session out.

        Raises:
            SessionUnknown, SessionNotOpen: there is nothing to settle.
            EscrowError: the first thing that kept an agreement from being carried out, as
                NotWitnessed; the others were, and the next call goes on.
        """
        self._settle(session_id, is_wanted=False)

    def carry_out_session(self, session_id: str) -> None:
        """The same, and carry out what k agents gave their shares for, whoever is missing.

        Raises:
            TooFewShares: fewer than k.
            else as :meth:`settle_session`.
        """
        self._settle(session_id, is_wanted=True)

    def close_overdue(self) -> None:
        """End the sessions whose time is over, and forget keys that no verification fetched."""
        on, now = self._on, self._on.clock.now()
        with on.database.writing() as session:
            records.close_reopenings(session, records.reopenings_overdue(session, now))
            for row in records.open_sessions(session):
                if row.ends_at is not None and row.ends_at <= now:
                    self._end(session, row, "time-over")

    def _settle(self, session_id: str, *, is_wanted: bool) -> None:
        on = self._on
        on.sequence()
        with on.database.reading() as session:
            row = _row(session, session_id)
            if row.entry_sha256 is None:
                raise SessionNotOpen
            if row.ended_at is not None:
                return
            items = [item_of(one) for one in records.items_of(session, session_id)]
            self._check_opened(session, row, items)
            checked = list(self._checked(session, row))
        proofs = _by_place(checked)
        places = iter(enumerate(items))
        while piece := list(islice(places, _AGREEMENTS_PER_PIECE)):
            with on.database.writing() as session:
                for place, item in piece:
                    self._note_live(session, row, item, proofs.get(place, []))
        if row.purpose in WITH_SHARES:
            self._carry_out(row, items, checked, is_wanted)
        with on.database.writing() as session:
            row = _row(session, session_id)
            if row.ended_at is None and self._is_done(session, row, items):
                self._end(session, row, "done")
        on.sequence()

    def _check_opened(
        self, session: Session, row: records.SessionRow, items: Sequence[Item]
    ) -> None:
        """Return when a session's rows say what the keyholder logged at its opening.

        Raises:
            NotInLedger, ProofFails: they do not; agreements, keys or texts were exchanged.
        """
        event = self._on.proven_event(session, row.entry_sha256, OPENED, KEYHOLDER)
        said: Mapping[str, object] = {
            "session_id": row.id,
            "purpose": row.purpose,
            "nonce": row.nonce,
            "items_root": items_root(items),
            "one_time_recipient": row.recipient,
        }
        if not said.items() <= event.data.items():
            raise NotInLedger(
                "The session is not the one that was logged.",
                "Nothing was opened; the operator has to compare database and ledger.",
            )

    def _items(self, session_id: str) -> list[Item]:
        with self._on.database.reading() as session:
            purpose = Purpose(_row(session, session_id).purpose)
            rows = records.items_of(session, session_id)
            return [self._item(session, purpose, AgreementId(one.agreement_id)) for one in rows]

    def _give_up(self, session_id: str) -> None:
        """End what was asked for and never opened; nobody was asked, so nothing is logged."""
        with self._on.database.writing() as session:
            row = _row(session, session_id)
            if row.entry_sha256 is None:
                row.ended_at = self._on.clock.now()
                records.add(session, row)

    def _item(self, session: Session, purpose: Purpose, agreement_id: AgreementId) -> Item:
        """Return one agreement as the ledger bears it out: its key, and the text to deal to."""
        epoch = vault.counting_epoch(session, agreement_id)
        newest = vault.newest_epoch(session, agreement_id)
        if epoch is None or (purpose is Purpose.SESSION and newest is not epoch):
            raise CanaryWaits
        self._liveness_keys(session, epoch)
        version = (
            register.newest_version(session, agreement_id)
            if purpose is Purpose.RESHARE
            else register.version_in_force(session, agreement_id)
        )
        if version is None:
            raise CanaryWaits
        return Item(
            agreement_id, epoch.epoch, epoch.k, epoch.n, version.version, version.text_sha256
        )

    def _liveness_keys(self, session: Session, epoch: vault.SealingEpochRow) -> list[str]:
        """Return the keys of an epoch's shares, as the keyholder itself logged them.

        Raises:
            NotInLedger, ProofFails: the row is not what it dealt.
        """
        name = (epoch.agreement_id, epoch.epoch, epoch.recipient)
        if name not in self._proven:
            if len(self._proven) > MAX_AGREEMENTS:
                self._proven.clear()
            dealt = dealt_event(self._on, session, epoch)
            self._proven[name] = cast("list[str]", dealt.data["liveness_keys"])
        return self._proven[name]

    def _log_opening(
        self, session: Session, row: records.SessionRow, items: Sequence[Item]
    ) -> None:
        on, now = self._on, self._on.clock.now()
        row.nonce = secrets.token_hex(CHALLENGE_BYTES)
        row.items_root = items_root(items)
        row.opened_at, row.ends_at = now, now + ANSWERING_TIME
        if row.purpose in WITH_SHARES:
            self._make_one_time_key(row)
        for place, item in enumerate(items):
            kept = records.item(session, row.id, place)
            if kept is not None:
                kept.epoch, kept.k, kept.n = item.epoch, item.k, item.n
                kept.version, kept.text_sha256 = item.version, item.text_sha256
        data = {
            "session_id": row.id,
            "purpose": row.purpose,
            "nonce": row.nonce,
            "items_root": row.items_root,
            "agreements": len(items),
            "one_time_recipient": row.recipient,
            "ends_at": rfc3339(row.ends_at),
        }
        event = NewEvent(stream_of(items), OPENED, KEYHOLDER, data)
        row.entry_sha256 = on.scribe.append(session, event).entry_sha256
        records.add(session, row)

    def _make_one_time_key(self, row: records.SessionRow) -> None:
        keys, identity, key_id = self._on.keys, new_hybrid_identity(), _key_id(row.id)
        if not keys.has_key(key_id):
            keys.create_key(key_id)
        row.recipient, row.key_id = str(identity.recipient), key_id
        row.sealed_identity = keys.wrap(key_id, identity.reveal().encode(), _aad(row.id))

    def _checked(self, session: Session, row: records.SessionRow) -> Iterator[_Checked]:
        """Yield the answers whose act holds; the signatures of each proof are looked at after."""
        for one in records.answers_of(session, row.id):
            try:
                yield _checked_answer(row, one)
            except (EscrowError, *_OTHER_FORMS) as problem:
                # Not as the portal took it: it counts for nothing, and spoils no other's.
                _log.error("an answer to %s does not hold: %s", row.id, problem)

    def _note_live(
        self,
        session: Session,
        row: records.SessionRow,
        item: Item,
        proofs: Sequence[tuple[str, Proof]],
    ) -> None:
        """Log whose proofs hold for one agreement, each once."""
        agreement_id = AgreementId(item.agreement_id)
        noted = {
            one.index
            for one in records.liveness_of(session, agreement_id, item.epoch)
            if one.session_id == row.id
        }
        fresh = [(key, proof) for key, proof in proofs if proof.index not in noted]
        epoch = vault.epoch_of(session, agreement_id, item.epoch)
        if not fresh or epoch is None:
            return
        keys = self._liveness_keys(session, epoch)
        owners = {
            one.index: one.signing_key for one in vault.shares_of(session, agreement_id, item.epoch)
        }
        live = sorted(
            proof.index
            for key, proof in fresh
            if 1 <= proof.index <= len(keys)
            and owners.get(proof.index) == key
            and holds_share(challenge_of(row), item, proof, keys[proof.index - 1])
        )
        if not live:
            return
        data = {"session_id": row.id, "epoch": item.epoch, "live": live}
        stream = Stream("agreement", agreement_id)
        at = self._on.scribe.append(session, NewEvent(stream, LIVE, KEYHOLDER, data)).at
        for index in live:
            kept = records.LivenessRow(
                agreement_id=agreement_id,
                epoch=item.epoch,
                index=index,
                session_id=row.id,
                live_at=at,
            )
            records.keep_liveness(session, kept)

    def _carry_out(
        self,
        row: records.SessionRow,
        items: Sequence[Item],
        checked: Sequence[_Checked],
        is_wanted: bool,
    ) -> None:
        enough = max(item.n if row.purpose == Purpose.SESSION else item.k for item in items)
        with self._on.database.reading() as session:
            is_intended = records.is_under_way(session, row.id)
        # What is intended is carried out, also where it had to wait for the witnesses.
        if not (is_wanted or is_intended) and len(checked) < enough:
            return
        with self._on.database.reading() as session:
            if self._is_done(session, row, items):
                # Killed between the destruction of the one-time key and its commit: only the
                # end is missing.
                return
        one_time = self._one_time(row)
        given = [
            Given.of(one.key, one.act_sha256, one.answer, challenge_of(row), one_time)
            for one in checked
        ]
        problems = Renewals(self._on).carry_out(row, items, given)
        if problems:
            raise problems[0]

    def _one_time(self, row: records.SessionRow) -> HybridIdentity:
        sealed, keys = row.sealed_identity or b"", self._on.keys
        identity = parse_identity(keys.unwrap(_key_id(row.id), sealed, _aad(row.id)).decode())
        if not isinstance(identity, HybridIdentity):
            raise SessionNotOpen
        return identity

    def _is_done(self, session: Session, row: records.SessionRow, items: Sequence[Item]) -> bool:
        if row.purpose in WITH_SHARES:
            rows = records.items_of(session, row.id)
            return all(one.done_at is not None for one in rows)
        return len(records.answers_of(session, row.id)) >= max(item.n for item in items)

    def _end(self, session: Session, row: records.SessionRow, why: str) -> None:
        """End a session: its one-time key is destroyed with it."""
        on = self._on
        row.ended_at, row.sealed_identity = on.clock.now(), None
        records.add(session, row)
        # Never the id that the row names: whoever writes the database would choose what is
        # destroyed.
        if on.keys.has_key(_key_id(row.id)):
            on.keys.destroy_key(_key_id(row.id))
        items = [item_of(one) for one in records.items_of(session, row.id)]
        data = {"session_id": row.id, "why": why}
        on.scribe.append(session, NewEvent(stream_of(items), ENDED, KEYHOLDER, data))


def _checked_answer(row: records.SessionRow, one: records.AnswerRow) -> _Checked:
    """Return one agent's answer once his act on it holds.

    Raises:
        EscrowError, or one of ``_OTHER_FORMS``: the row is none.
    """
    key = PublicKey.parse(one.signing_key)
    act = verify_act(Envelope.from_json(json.loads(one.envelope_json)), key)
    expected = answer_subject(
        challenge_of(row), row.items_root or "", row.entry_sha256 or "", one.document
    )
    check_answer_subject(act.subject, expected)
    return _Checked(one.signing_key, act.sha256, Answer.from_bytes(one.document))


def _by_place(checked: Sequence[_Checked]) -> dict[int, list[tuple[str, Proof]]]:
    found: dict[int, list[tuple[str, Proof]]] = defaultdict(list)
    for one in checked:
        for proof in one.answer.proofs:
            found[proof.place].append((one.key, proof))
    return found


def _row(session: Session, session_id: str) -> records.SessionRow:
    row = records.session_by_id(session, session_id)
    if row is None:
        raise SessionUnknown
    return row


def _key_id(session_id: str) -> str:
    return f"custody-{session_id}"


def _aad(session_id: str) -> bytes:
    return _AAD_LABEL + session_id.encode()
