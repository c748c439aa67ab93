"""Deposits that their vendor sealed himself: which agreement and which key one can be for.

Guarantees: a client-sealed part is taken only for one agreement in force and for the one key to
which it can be sealed now, and a deposit never has both kinds. Says nothing on the header itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from escrow.deposits.drafts import ClientSeal, SaidSeal
from escrow.deposits.errors import (
    AgreementNotNamed,
    PartExists,
    PayloadLetGo,
    SealingKeyNotCurrent,
    SealingsMixed,
)
from escrow.deposits.facts import AgreementTerms
from escrow.deposits.records import Part
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.appending import Scribe
from escrow.ledger.chains import read_chain
from escrow.ledger.events import Stream
from escrow.notices import outbox
from escrow.notices.notices import Kind, Reader
from escrow.notices.readers import everybody, letters_to
from escrow.register.reading import read_version, text_of
from escrow.vault import records as vault
from escrow.vault.shreds import records as shreds

_SEAL_ANEW = (
    "Ask 'escrow deposit sealing-key' for the current key, seal the file anew, and begin a new "
    "deposit with it."
)


def current_key(session: Session, agreement_id: AgreementId) -> vault.SealingEpochRow:
    """Return the one key that a vendor may seal to now.

    There is none while a new key waits for its canary: the service then seals to both, and a
    client-sealed part has one header only, which the agents could not open under the other.

    Raises:
        SealingKeyNotCurrent: none can be sealed to.
    """
    counting = vault.counting_epoch(session, agreement_id)
    newest = vault.newest_epoch(session, agreement_id)
    is_newest = counting is not None and newest is not None and counting.epoch == newest.epoch
    if counting is None or counting.burnt_at is not None or not is_newest:
        raise _being_changed()
    return counting


def shown_key(session: Session, agreement_id: AgreementId) -> dict[str, object]:
    """Return the current key with what a vendor's client proves it by (``custody.sealing_keys``).

    Raises:
        SealingKeyNotCurrent: none can be sealed to now.
    """
    key = current_key(session, agreement_id)
    chain = read_chain(session, Stream("agreement", agreement_id))
    if chain is None:
        raise _being_changed()
    _, newest = read_version(session, agreement_id)
    return {
        "agreement_id": agreement_id,
        "epoch": key.epoch,
        "k": key.k,
        "n": key.n,
        "recipient": key.recipient,
        "texts": {str(one): text_of(session, agreement_id, one) for one in range(1, newest + 1)},
        "chain": chain.to_json(),
    }


def resolve_seal(
    session: Session, agreements: Sequence[AgreementTerms], said: SaidSeal
) -> ClientSeal:
    """Return agreement and epoch of a part that is about to come.

    Args:
        agreements: in force for the product.
        said: by the vendor's client; the only agreement and the current epoch go without saying.

    Raises:
        AgreementNotNamed: none of several is named, or another.
        SealingKeyNotCurrent: the epoch is not the current one, or there is none.
    """
    ids = [one.agreement_id for one in agreements]
    named = said.agreement_id or (ids[0] if len(ids) == 1 else None)
    if named not in ids:
        raise AgreementNotNamed(
            "A client-sealed part has one header and serves one agreement; which, is not said.",
            f"Name one that is in force for this product: {', '.join(ids)}.",
        )
    seal = ClientSeal(AgreementId(named), said.epoch or 0)
    current = current_key(session, seal.agreement_id).epoch
    if said.epoch is not None:
        check_epoch(seal, current)
    return ClientSeal(seal.agreement_id, current)


def check_epoch(seal: ClientSeal, current: int) -> None:
    """Return when a part was sealed to the current epoch, as its vendor says.

    Raises:
        SealingKeyNotCurrent: to another one.
    """
    if seal.epoch != current:
        raise SealingKeyNotCurrent(
            f"The part is sealed to epoch {seal.epoch} of {seal.agreement_id}, whose current key "
            f"is of epoch {current}.",
            _SEAL_ANEW,
        )


def check_alike(present: Sequence[Part], seal: ClientSeal | None) -> None:
    """Return when a part may join those that a draft has.

    Raises:
        SealingsMixed: some were sealed by the vendor and some were not, or for two agreements.
    """
    wanted = seal.agreement_id if seal else None
    if any(one.client_agreement_id != wanted for one in present):
        raise SealingsMixed(
            "The parts of one deposit are all client-sealed for one agreement, or none is.",
            "Make a deposit of its own for the others; parts not sent are carried forward.",
        )


def check_not_let_go(session: Session, payloads: Iterable[str]) -> None:
    """Return when none of these payloads was shredded under an earlier deposit.

    What the service seals has a key of its own each time; of an age file a vendor can send the
    same bytes twice, and stores remove what was let go, copy it to no replica and read it no more.

    Raises:
        PayloadLetGo: one was.
    """
    if any(shreds.doomed_payload(session, one) is not None for one in payloads):
        raise PayloadLetGo(
            "These very bytes were deposited before and shredded; what was let go never returns.",
            "Seal the file anew with age, which gives other bytes, and send those.",
        )


def check_own_payload(present: Sequence[Part], payload_sha256: str) -> None:
    """Return when no part of a draft has this payload.

    A release finds the part that was sent by its payload, so each in a deposit has one of its own.

    Raises:
        PartExists: one has it.
    """
    for one in present:
        if one.payload_sha256 == payload_sha256:
            raise PartExists(
                f"The deposit already has these bytes, as its part {one.kind}/{one.name}.",
                "Seal the file anew with age, which gives other bytes, and send those.",
            )


def agreements_served(
    session: Session, agreements: Sequence[AgreementTerms], sent: Sequence[Part]
) -> Sequence[AgreementTerms]:
    """Return the agreements that a deposit serves: all in force, or the one it was sealed for.

    Raises:
        AgreementNotNamed: the one that it was sealed for is not in force any more.
        SealingKeyNotCurrent: the key changed since a part was taken.
    """
    seals = [
        ClientSeal(AgreementId(one.client_agreement_id), one.client_epoch or 0)
        for one in sent
        if one.client_agreement_id is not None
    ]
    if not seals:
        return agreements
    served = [one for one in agreements if one.agreement_id == seals[0].agreement_id]
    if not served:
        raise AgreementNotNamed(
            f"{seals[0].agreement_id}, for which this deposit is sealed, is not in force any more.",
            "Abandon it; seal the files anew for an agreement that is.",
        )
    current = current_key(session, seals[0].agreement_id).epoch
    for seal in seals:
        check_epoch(seal, current)
    return served


def tell_not_served(
    session: Session,
    scribe: Scribe,
    deposit_id: DepositId,
    agreements: Sequence[AgreementId],
    now: datetime,
) -> None:
    """Tell the parties of agreements in force that a deposit is sealed for another one."""
    for agreement_id in agreements:
        terms, _ = read_version(session, agreement_id, None)
        letters = letters_to(
            (one for one in everybody(terms) if one[0] is not Reader.AGENT),
            terms,
            agreement_id,
            about=f"{deposit_id}:not-serving:{agreement_id}",
            kind=Kind.DEPOSIT_NOT_SERVING,
            path=f"/api/v1/deposits/{deposit_id}",
        )
        for notice in letters:
            outbox.post(session, scribe, notice, actor=scribe.role, now=now)


def _being_changed() -> SealingKeyNotCurrent:
    return SealingKeyNotCurrent(
        "The agreement's sealing key is being changed, and a client-sealed part has one header, "
        "to one key.",
        "Wait until the agents opened the canary of the new key, then ask for it with "
        "'escrow deposit sealing-key'; what the service seals is taken meanwhile.",
    )
