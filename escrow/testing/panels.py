"""A custody panel in a portal world: many agreements of the same agents, each with its own key.

Filing, acceptance and canary of each are written as the rooms leave them, since a trial of a panel
is about what comes after; keys are dealt, headers sealed and everything logged by the real code.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

import httpx

from escrow.ground.database import Session
from escrow.ground.digests import new_salt, sha256_hex
from escrow.ground.identifiers import AgreementId, OrganisationId, new_id
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.parties import records as parties
from escrow.register import records as register
from escrow.register.governing import ACCEPT_ACT, ACCEPTED, FILED, IN_FORCE
from escrow.register.subjects import acceptance_subject
from escrow.testing.custody import CustodyWorld
from escrow.vault import records as vault
from escrow.vault.age import FileKey, parse_recipient, wrap_file_key
from escrow.vault.age_keys import FILE_KEY_BYTES
from escrow.vault.headers import AGENTS_LOCK, file_key_commitment, seal_header_record
from escrow.vault.releasing import binding_of

_AGREEMENTS_PER_PIECE = 100
_CALL_SECONDS = 3_600.0


class PanelWorld(CustodyWorld):
    """A world with one agreement in force, to which a panel of others is added."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # Thousands of agreements are answered for in one call.
        self.client.timeout = httpx.Timeout(_CALL_SECONDS)

    def add_agreements(self, count: int) -> None:
        """Add agreements in force with the same agents, each with a key and one sealed part."""
        numbers = iter(range(count))
        while some := list(islice(numbers, _AGREEMENTS_PER_PIECE)):
            with self.database.writing() as session:
                for number in some:
                    self._add(session, number)
            self.keyholder.sequence()

    @cached_property
    def file_keys(self) -> dict[tuple[str, str], FileKey]:
        """The file key of every part that was sealed here, by agreement and part."""
        return {}

    def _add(self, session: Session, number: int) -> None:
        agreement_id = AgreementId(new_id("agr"))
        # A text of its own, so that reading it costs what it costs.
        text = self.cast.text.replace("Escrow of the ledger core", f"Escrow number {number}")
        now, grounds = self.clock.now(), self.keyholder.grounds
        row = register.AgreementRow(
            id=agreement_id, vendor_organisation_id="org_v", filed_by="mem_v", filed_at=now
        )
        version = register.VersionRow(
            agreement_id=agreement_id,
            version=1,
            text=text,
            text_sha256=sha256_hex(text.encode()),
            title=f"Escrow number {number}",
            custody="sealed",
            k=self.cast.agreement.sealing.k,
            n=len(self.cast.agreement.agents),
            filed_by="mem_v",
            filed_at=now,
            in_force_at=now,
        )
        register.add(session, row)
        register.add(session, version)
        register.add(session, *self._agents(session, agreement_id))
        self._log(session, agreement_id, version.text_sha256)
        epoch = Ceremonies(grounds).deal(session, agreement_id, 1)
        vault.mark_canary_opened(session, epoch, now)
        self._seal_part(session, agreement_id, epoch)

    def _agents(self, session: Session, agreement_id: AgreementId) -> Iterator[register.PartyRow]:
        for agent in self.cast.agreement.agents:
            owner = parties.organisation_by_slug(session, agent.organisation)
            found = owner and parties.member_by_email(
                session, OrganisationId(owner.id), agent.email
            )
            if owner is None or not found:
                raise ValueError(f"{agent.email} is not registered")
            yield register.PartyRow(
                agreement_id=agreement_id,
                version=1,
                role="agent",
                organisation_id=owner.id,
                member_id=found.id,
            )

    def _log(self, session: Session, agreement_id: AgreementId, text_sha256: str) -> None:
        scribe = Scribe("portal", self.ledger.key("portal"), self.clock)
        stream, data = Stream("agreement", agreement_id), {"version": 1, "text_sha256": text_sha256}
        scribe.append(session, NewEvent(stream, FILED, "mem_v", data))
        subject = acceptance_subject(agreement_id, 1, text_sha256)
        for who in ("vendor", "beneficiary", "agent_1", "agent_2", "agent_3"):
            accepted = {**data, "act": self.signed(who, ACCEPT_ACT, subject)}
            scribe.append(session, NewEvent(stream, ACCEPTED, "mem_v", accepted))
        scribe.append(session, NewEvent(stream, IN_FORCE, "mem_v", data))

    def _seal_part(
        self, session: Session, agreement_id: AgreementId, epoch: vault.SealingEpochRow
    ) -> None:
        keys, key_id = self.keyholder.grounds.keys, f"agreement-{agreement_id}"
        keys.create_key(key_id)
        file_key, salt = FileKey(secrets.token_bytes(FILE_KEY_BYTES)), new_salt()
        row = vault.HeaderRecordRow(
            agreement_id=agreement_id,
            product_id="prd_of_panel",
            deposit_id=new_id("dep"),
            part_id=new_id("prt"),
            lock=AGENTS_LOCK,
            epoch=epoch.epoch,
            payload_sha256=sha256_hex(agreement_id.encode()),
            key_id=key_id,
            record=b"",
            commitment_salt=salt,
            commitment=file_key_commitment(salt, file_key),
            created_at=self.clock.now(),
        )
        header = wrap_file_key(file_key, [parse_recipient(epoch.recipient)])
        row.record = seal_header_record(keys, key_id, binding_of(row), header)
        vault.add(session, row)
        self.file_keys[agreement_id, row.part_id] = file_key
