"""Releases: what the keyholder does for an approved request, from the ledger alone.

It is told a request's id and nothing else. Terms, acts, deposits, commitments and shares are read
as rows and believed only where the proven chain of the agreement or of the product bears them out;
its own disk says how far the agreement's chain reached. Every call can be repeated: what was
logged is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agreements.requests import EVENT, Step
from escrow.custody.reading import agents_on_papers
from escrow.evidence.bundles import sign_statement
from escrow.evidence.release_certificates import ReleaseFacts, release_statement
from escrow.evidence.statements import STATEMENT_FIELD
from escrow.evidence.timing.papers import await_timestamps
from escrow.ground.clock import parse_rfc3339, rfc3339
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import RequestId
from escrow.ledger.events import NewEvent
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import Evidence, gather
from escrow.operations.keyholder.grounds import Grounds, NoSuchThing, NotInLedger
from escrow.operations.keyholder.offering import draw_offer
from escrow.operations.keyholder.rewrapping import BURNT, Rewrapping
from escrow.operations.keyholder.rights import check_witnessed, note_silence, rights_now
from escrow.releases import records as releases
from escrow.releases.clocks import WALL, RightsTime
from escrow.releases.decision import Decision, approval_of, decide
from escrow.releases.errors import TooFewConfirmations
from escrow.releases.history import Mark
from escrow.releases.offers import Offer, parse_offer, reporters
from escrow.vault import records
from escrow.vault.age import HybridIdentity, new_hybrid_identity, parse_identity
from escrow.vault.headers import CLIENT_LOCK
from escrow.vault.release_shares import (
    ReleaseShare,
    check_release_share,
    combine_release_shares,
    not_his_share,
    open_release_share,
)

# Between the intent and its execution lie milliseconds; after a crash the permit is made anew.
PERMIT_LIFETIME = timedelta(minutes=5)

_AAD_LABEL = b"escrow-release-round/1\0"


class Releases:
    """The keyholder's dealings with release requests."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def open_confirmation(self, request_id: str) -> None:
        """Open a round: a fresh one-time key and the offer, logged before anybody confirms.

        Raises:
            NotApproved, ObjectionStands, AgreementChanged, StepNotPossible: not now.
            HeadBehind, ChainBroken, NotInLedger, OfferBroken: ledger and database disagree.
        """
        on = self._on
        self._note_silence(RequestId(request_id))
        with on.database.writing() as session:
            evidence = gather(on, session, RequestId(request_id))
            history = evidence.history
            rights = rights_now(on, session, evidence.events)
            approval = approval_of(history, evidence.terms, rights.at)
            if history.openings and history.openings[-1].place > approval.place:
                return
            offer = draw_offer(on, session, evidence)
            self._log_opening(session, evidence, offer)
        on.sequence()

    def check_release_share(self, request_id: str, file_sha256: str) -> None:
        """Return when a share that was sent in the newest round is the one that was dealt.

        Raises:
            NoSuchThing: no such share, or no round is open.
            ShareOfAnother, BadShareFile, NoIdentityMatches: it is another one.
        """
        self._on.sequence()
        with self._on.database.writing() as session:
            evidence = gather(self._on, session, RequestId(request_id))
            round_ = self._round(session, evidence)
            row = next(
                (
                    one
                    for one in records.release_shares_of(session, evidence.request_id, round_.round)
                    if one.file_sha256 == file_sha256
                ),
                None,
            )
            if row is None:
                raise NoSuchThing("There is no such share.", "Run 'escrow confirm' again.")
            self._opened_share(evidence, round_, row)

    def execute_release(self, request_id: str) -> None:
        """Decide, write the intent, and carry it out; what was done before is left as it is.

        Raises:
            TooFewConfirmations, NotApproved, ObjectionStands, AgreementChanged: not now.
            HeadBehind, ChainBroken, NotInLedger, OfferBroken, CommitmentBroken: ledger and
                database disagree.
        """
        on = self._on
        self._note_silence(RequestId(request_id))
        with on.database.writing() as session:
            evidence = gather(on, session, RequestId(request_id))
            if not (evidence.history.executed or evidence.history.intended):
                self._intend(session, evidence)
        # The intent is committed: from here on it is known, whatever happens next.
        on.sequence()
        with on.database.writing() as session:
            evidence = gather(on, session, RequestId(request_id))
            if not evidence.history.executed:
                check_witnessed(on, session, evidence.history.intended[-1].entry_sha256)
                self._execute(session, evidence)
        on.sequence()
        self._destroy_round(RequestId(request_id))

    def _note_silence(self, request_id: RequestId) -> None:
        on = self._on
        on.sequence()
        with on.database.writing() as session:
            noted = note_silence(on, session, gather(on, session, request_id).events)
        if noted:
            on.sequence()

    def _log_opening(self, session: Session, evidence: Evidence, offer: Offer) -> None:
        on, before = self._on, records.newest_round(session, evidence.request_id)
        if before is not None:
            # What was sealed to the round before counts for nobody any more.
            records.end_round(session, before)
        number = before.round + 1 if before else 1
        identity, key_id = new_hybrid_identity(), _key_id(evidence.request_id, number)
        if not on.keys.has_key(key_id):
            on.keys.create_key(key_id)
        data: dict[str, object] = {
            "request_id": evidence.request_id,
            "round": number,
            "one_time_recipient": str(identity.recipient),
            "offer_sha256": offer.sha256,
            "deposits": len(offer.deposits),
            "epoch": evidence.epoch.epoch,
            "k": evidence.epoch.k,
            "recipient_sha256": sha256_hex(evidence.history.subject.recipient.encode()),
        }
        event = NewEvent(evidence.stream, EVENT[Step.OPEN_CONFIRMATION], KEYHOLDER, data)
        entry = on.scribe.append(session, event)
        row = records.ReleaseRoundRow(
            request_id=evidence.request_id,
            round=number,
            agreement_id=evidence.agreement_id,
            epoch=evidence.epoch.epoch,
            recipient=str(identity.recipient),
            key_id=key_id,
            sealed_identity=on.keys.wrap(
                key_id, identity.reveal().encode(), _aad(evidence.request_id, number)
            ),
            offer=offer.to_bytes(),
            offer_sha256=offer.sha256,
            entry_sha256=entry.entry_sha256,
            opened_at=on.clock.now(),
        )
        records.add(session, row)

    def _intend(self, session: Session, evidence: Evidence) -> None:
        """Write the intent on the very head that was decided on: nothing can stand between.

        An intent binds, so it is written only where the shares that it needs are there and right.
        """
        # As the intent will have it, so that carrying it out asks at the very same time.
        decided_at = parse_rfc3339(rfc3339(self._on.clock.now()))
        rights = rights_now(self._on, session, evidence.events)
        rights_at = parse_rfc3339(rfc3339(rights.at))
        decision = _decision(evidence, decided_at, rights_at)
        round_ = self._round(session, evidence)
        usable = len(self._shares(session, evidence, round_, decision))
        if usable < evidence.epoch.k:
            raise TooFewConfirmations(usable, evidence.epoch.k)
        data: dict[str, object] = {
            "request_id": evidence.request_id,
            "head": evidence.chain.head_sha256,
            "approved_by": decision.approval.by,
            "approved_at": rfc3339(decision.approval.at),
            "decided_at": rfc3339(decided_at),
            "rights_at": rfc3339(rights_at),
            "clocks": list(rights.sources),
            "clocks_left_out": list(rights.left_out),
            "opened_entry_sha256": decision.opening.entry_sha256,
            "offer_sha256": decision.opening.data["offer_sha256"],
            "confirmations": [one.given.act.sha256 for one in decision.confirmations],
        }
        event = NewEvent(evidence.stream, EVENT[Step.INTEND], KEYHOLDER, data)
        self._on.scribe.append(session, event)

    def _execute(self, session: Session, evidence: Evidence) -> None:
        on, intent = self._on, evidence.history.intended[-1]
        round_ = self._round(session, evidence)
        offer = parse_offer(round_.offer, intent.data["offer_sha256"])
        decided_at = str(intent.data["decided_at"])
        rights_at = str(intent.data.get("rights_at", decided_at))
        decision = _decision(evidence, parse_rfc3339(decided_at), parse_rfc3339(rights_at))
        shares = self._shares(session, evidence, round_, decision)
        identity = combine_release_shares(shares, evidence.epoch.recipient)
        work = Rewrapping(on, session, evidence, intent, identity)
        work.hand_over(offer, on.clock.now() + PERMIT_LIFETIME)
        # A combined key is burnt: whatever it still seals is sealed to a new one as well.
        fresh = Ceremonies(on).deal(session, evidence.agreement_id, evidence.version)
        work.reseal(fresh)
        records.mark_burnt(session, evidence.epoch, on.clock.now())
        burnt = {"epoch": evidence.epoch.epoch, "request_id": evidence.request_id}
        on.scribe.append(session, NewEvent(evidence.stream, BURNT, KEYHOLDER, burnt))
        records.end_round(session, round_)
        self._certify(session, evidence, intent, decision, offer)

    def _certify(
        self,
        session: Session,
        evidence: Evidence,
        intent: Mark,
        decision: Decision,
        offer: Offer,
    ) -> None:
        on = self._on
        at = parse_rfc3339(str(intent.data["decided_at"]))
        handed = records.released_headers_of(session, evidence.request_id)
        facts = replace(
            _facts(evidence, intent, decision, offer, handed),
            agents=self._agents(session, evidence, at),
            client_sealed=_client_sealed(session, evidence, handed),
        )
        signed = sign_statement(release_statement(on.stamp, facts), on.role_key)
        data = {
            "request_id": evidence.request_id,
            STATEMENT_FIELD: signed.statement_sha256,
            "parts": len(offer.sent_parts()),
        }
        entry = on.scribe.append(
            session, NewEvent(evidence.stream, EVENT[Step.EXECUTE], KEYHOLDER, data)
        )
        row = releases.ReleaseCertificateRow(
            request_id=evidence.request_id,
            statement_sha256=signed.statement_sha256,
            document=signed.to_json(),
            entry_sha256=entry.entry_sha256,
            signed_at=entry.at,
        )
        releases.add(session, row)
        await_timestamps(session, signed, entry.at)

    def _agents(
        self, session: Session, evidence: Evidence, at: datetime
    ) -> dict[str, object] | None:
        """Return what the certificate has to say of the agents; None where all is as it should."""
        agents = agents_on_papers(session, evidence.agreement_id, at)
        is_plain = agents is None or (agents["standing"] == "sound" and not agents["concentrated"])
        return None if is_plain else agents

    def _shares(
        self,
        session: Session,
        evidence: Evidence,
        round_: records.ReleaseRoundRow,
        decision: Decision,
    ) -> list[ReleaseShare]:
        """Return the shares of the agents whose confirmations count, each proven right."""
        signed = {
            (one.given.signatory.signing_key, share.file_sha256)
            for one in decision.confirmations
            for share in one.subject.shares
        }
        rows = records.release_shares_of(session, evidence.request_id, round_.round)
        return [
            self._opened_share(evidence, round_, row)
            for row in rows
            if (row.signing_key, row.file_sha256) in signed and row.epoch == round_.epoch
        ]

    def _opened_share(
        self, evidence: Evidence, round_: records.ReleaseRoundRow, row: records.ReleaseShareRow
    ) -> ReleaseShare:
        share = open_release_share(row.file, self._one_time(round_))
        check_release_share(
            share,
            evidence.agreement_id,
            evidence.request_id,
            round_.epoch,
            evidence.liveness_keys,
        )
        # His own, and not one that a colleague lent him: two words over one share open nothing.
        agent = next(
            (one for one in evidence.terms.agents if one.signing_key == row.signing_key), None
        )
        if agent is None or agent.share_recipient != evidence.holders[share.index - 1]:
            raise not_his_share()
        return share

    def _round(self, session: Session, evidence: Evidence) -> records.ReleaseRoundRow:
        """Return the newest round, when it is the one that the proven chain opened last.

        Raises:
            NoSuchThing: none is open.
            NotInLedger: the row is another one.
        """
        row = records.newest_round(session, evidence.request_id)
        openings = evidence.history.openings
        if row is None or not openings or row.sealed_identity is None:
            raise NoSuchThing("No confirmation is open.", "Look at the request's state.")
        logged = openings[-1]
        named = (logged.entry_sha256, logged.data["one_time_recipient"], logged.data["epoch"])
        if named != (row.entry_sha256, row.recipient, row.epoch):
            raise NotInLedger(
                "The round of confirmation is not the one that was logged.",
                "Nothing was opened; the operator has to compare database and ledger.",
            )
        return row

    def _one_time(self, row: records.ReleaseRoundRow) -> HybridIdentity:
        sealed, aad = row.sealed_identity or b"", _aad(RequestId(row.request_id), row.round)
        identity = parse_identity(self._on.keys.unwrap(row.key_id, sealed, aad).decode())
        if not isinstance(identity, HybridIdentity):
            raise NotInLedger("The one-time key is none of ours.", "Restore the table.")
        return identity

    def _destroy_round(self, request_id: RequestId) -> None:
        """Destroy the keys of a request's rounds that are over; their secrets are gone already."""
        with self._on.database.reading() as session:
            # Computed, not read: a row must not choose what is destroyed.
            over = [
                _key_id(request_id, one.round)
                for one in records.rounds_of(session, request_id)
                if one.sealed_identity is None
            ]
        for key_id in over:
            if self._on.keys.has_key(key_id):
                self._on.keys.destroy_key(key_id)


def _decision(evidence: Evidence, at: datetime, rights_at: datetime) -> Decision:
    history, terms = evidence.history, evidence.terms
    return decide(history, evidence.events, terms, evidence.epoch.k, at, rights_at)


def _facts(
    evidence: Evidence,
    intent: Mark,
    decision: Decision,
    offer: Offer,
    handed: Sequence[records.ReleasedHeaderRow],
) -> ReleaseFacts:
    history, terms = evidence.history, evidence.terms
    return ReleaseFacts(
        agreement_id=evidence.agreement_id,
        version=evidence.version,
        text_sha256=terms.text_sha256,
        request_id=evidence.request_id,
        request_act_sha256=history.request.act.sha256,
        condition=history.condition.type,
        bundle=offer.bundle,
        approved_by=decision.approval.by,
        approved_at=decision.approval.at,
        beneficiary=history.request.signatory.organisation,
        recipient=history.subject.recipient,
        k=evidence.epoch.k,
        n=evidence.epoch.n,
        epoch=evidence.epoch.epoch,
        confirmations=tuple(one.given.act.sha256 for one in decision.confirmations),
        offer_sha256=str(intent.data["offer_sha256"]),
        deposits=tuple((one.deposit_id, one.number) for one in offer.deposits),
        payloads={one.thing_id: one.payload_sha256 for one in handed},
        headers={one.thing_id: sha256_hex(one.header) for one in handed},
        not_opened=offer.not_handed_over(one.thing_id for one in handed),
        last_verified=offer.last_verified,
        last_before_filing=offer.last_before_filing,
        intended_at=intent.at,
        clocks=RightsTime(
            intent.at,
            tuple(intent.data.get("clocks", [WALL])),
            tuple(intent.data.get("clocks_left_out", [])),
        ).text,
        reported_by=reporters(evidence.events),
    )


def _client_sealed(
    session: Session, evidence: Evidence, handed: Sequence[records.ReleasedHeaderRow]
) -> tuple[str, ...]:
    rows = records.headers_of_agreement(session, evidence.agreement_id)
    theirs = {one.part_id for one in rows if one.lock == CLIENT_LOCK}
    return tuple(sorted(theirs & {one.thing_id for one in handed}))


def _key_id(request_id: RequestId, number: int) -> str:
    return f"release-{request_id}-{number}"


def _aad(request_id: RequestId, number: int) -> bytes:
    return _AAD_LABEL + f"{request_id}/{number}".encode()
