"""Ceremonies: the keyholder deals an agreement's sealing key to its agents, and forgets it."""

from __future__ import annotations

from escrow.custody.sealing_keys import DEALT
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.texts import read_texts
from escrow.register.ceremony import key_setup_of
from escrow.register.governing import FILED
from escrow.register.reading import read_version
from escrow.register.status import is_dealt_for
from escrow.vault import records
from escrow.vault.dealing import ShareHolder, hold_ceremony


class Ceremonies:
    """The keyholder's dealings with agents' shares."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def hold_ceremony(self, agreement_id: str) -> None:
        """Deal a new epoch; one that waits for these agents' canary is left as it is.

        The text need not be accepted yet: nothing is sealed to its agents before it is.

        Raises:
            HeadBehind, ChainBroken, NotInLedger: the text is not the one that was filed first
                under its number, or ledger and database disagree.
        """
        on, identifier = self._on, AgreementId(agreement_id)
        stream = Stream("agreement", agreement_id)
        on.sequence()
        with on.database.writing() as session:
            on.sequencer.sequence(session)
            chain = proven_stream(on, session, stream)
            on.heads.check_reaches(stream, chain)
            terms, version = read_version(session, identifier)
            # The agents are those of the text as it was filed, not as a row has it now.
            if read_texts(session, identifier, chain).filed.get(version) != terms.text_sha256:
                raise NotInLedger(
                    f"The ledger bears out no {FILED} in {stream} that says what a row says.",
                    "Nothing was dealt; the operator has to compare database and ledger.",
                )
            setup = key_setup_of(session, identifier)
            if setup is not None and not setup.opened_by and is_dealt_for(setup, terms):
                return
            self.deal(session, identifier, version)
        on.sequence()

    def deal(
        self, session: Session, agreement_id: AgreementId, version: int
    ) -> records.SealingEpochRow:
        """Deal a new epoch to the agents of a version, and log it; the caller has proven both."""
        on = self._on
        terms, _ = read_version(session, agreement_id, version)
        holders = [ShareHolder(agent.signing_key, agent.share_recipient) for agent in terms.agents]
        epoch = hold_ceremony(
            session, agreement_id, version, terms.sealing.k, holders, on.clock.now()
        )
        shares = records.shares_of(session, agreement_id, epoch.epoch)
        data = {
            "version": version,
            "epoch": epoch.epoch,
            "k": epoch.k,
            "n": epoch.n,
            "recipient_sha256": sha256_hex(epoch.recipient.encode()),
            "share_files_sha256": [sha256_hex(share.share_file) for share in shares],
            "liveness_keys": [share.liveness_key for share in shares],
            "canary_sha256": epoch.canary_sha256,
        }
        event = NewEvent(Stream("agreement", agreement_id), DEALT, KEYHOLDER, data)
        on.scribe.append(session, event)
        return epoch
