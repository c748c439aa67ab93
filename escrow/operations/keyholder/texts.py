"""Which texts and which keys of an agreement the keyholder believes, from a proven stream.

No row and no word of the portal brings a text into force here: what counts is read from the signed
acts of everybody who has to accept it (:mod:`escrow.register.governing`).
"""

from __future__ import annotations

import hmac
import json

from escrow.custody.errors import NotAccepted
from escrow.custody.sealing_keys import DEALT, Dealt, dealt_keys
from escrow.custody.sessions import Item
from escrow.evidence.acts import parse_act
from escrow.evidence.dsse import Envelope
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ProvenChain
from escrow.operations.keyholder.grounds import NotInLedger
from escrow.register import records as register
from escrow.register.governing import Texts, texts_of
from escrow.register.reading import read_version
from escrow.register.subjects import secret_text
from escrow.vault import records as vault


def read_texts(session: Session, agreement_id: AgreementId, chain: ProvenChain) -> Texts:
    """Return what the proven stream of an agreement says of its texts.

    Raises:
        AgreementUnknown, AgreementTextTampered: a text that was accepted is not the stored one.
    """
    return texts_of(chain.events, lambda version: read_version(session, agreement_id, version)[0])


def check_text(texts: Texts, item: Item) -> None:
    """Return when a new key may be dealt to the agents of the text that a session names.

    Raises:
        NotAccepted: it is neither in force nor accepted by everybody who has to accept it.
        AgreementTextTampered: the stored text is not the one that was filed.
    """
    terms = texts.counting(item.version)
    if terms is None or terms.text_sha256 != item.text_sha256:
        raise NotAccepted


def dealt_key(chain: ProvenChain, texts: Texts, row: vault.SealingEpochRow) -> Dealt:
    """Return the dealing of a key that a row names.

    Raises:
        NotInLedger: the keyholder never dealt it, or the ledger does not say to whom.
    """
    facts = {
        "epoch": row.epoch,
        "k": row.k,
        "n": row.n,
        "recipient_sha256": sha256_hex(row.recipient.encode()),
    }
    for one in dealt_keys(chain.events, texts):
        if facts.items() <= one.event.data.items():
            return one
    raise NotInLedger(
        "The ledger does not bear out the sealing key.",
        "Nothing was opened; the operator has to compare database and ledger.",
    )


def dealt_under_a_text(
    session: Session, chain: ProvenChain, texts: Texts, epoch: int
) -> vault.SealingEpochRow:
    """Return a key that was dealt to the agents of a text that is or was in force, or waits.

    Raises:
        NotInLedger: none of this number was, or a row names another key.
    """
    waiting = texts.counting(max(texts.filed))
    held_as = [*(one.terms for one in texts.in_force), *([waiting] if waiting else [])]
    for dealt in dealt_keys(chain.events, texts):
        if dealt.epoch == epoch and any(dealt.is_held_as(terms) for terms in held_as):
            return _row_of(session, texts.agreement_id, dealt)
    raise _no_key(texts.agreement_id)


def keys_to_seal_to(
    session: Session, chain: ProvenChain, texts: Texts
) -> list[vault.SealingEpochRow]:
    """Return the key that counts, and those dealt after it, which wait for their canary.

    Only keys whose holders are the agents of the text in force, or of one that waits and lacks
    nobody's acceptance: what is sealed in the days in between has to open once that one is in
    force. A key counts once its canary's secret is known, which only k shares give.

    Raises:
        NotInLedger: none counts, or a row names another key.
    """
    agreement_id, governing = texts.agreement_id, texts.last
    if governing is None:
        raise _no_key(agreement_id)
    dealt = list(dealt_keys(chain.events, texts))
    of_force = [one for one in dealt if one.is_held_as(governing.terms)]
    opened = [one for one in of_force if _is_opened(session, agreement_id, one)]
    if not opened:
        raise _no_key(agreement_id)
    waiting = texts.counting(max(texts.filed))
    held_as = [governing.terms, *([waiting] if waiting else [])]
    return [
        _row_of(session, agreement_id, one)
        for one in dealt
        if one.epoch >= opened[-1].epoch and any(one.is_held_as(terms) for terms in held_as)
    ]


def _is_opened(session: Session, agreement_id: AgreementId, dealt: Dealt) -> bool:
    """Tell whether an agent's statement holds the canary's secret, whatever else is in its row."""
    for row in register.openings_of(session, agreement_id, dealt.epoch):
        try:
            act = parse_act(Envelope.from_json(json.loads(row.envelope_json)).payload)
        except (EscrowError, ValueError):
            continue
        secret = bytes.fromhex(secret_text(act.subject))
        if hmac.compare_digest(sha256_hex(secret), str(dealt.event.data["canary_sha256"])):
            return True
    return False


def _row_of(session: Session, agreement_id: AgreementId, dealt: Dealt) -> vault.SealingEpochRow:
    row = vault.epoch_of(session, agreement_id, dealt.epoch)
    # Sealed to another key, a deposit would be his who put it there, and lost to the agents.
    if row is None or sha256_hex(row.recipient.encode()) != dealt.event.data["recipient_sha256"]:
        raise NotInLedger(
            f"Key {dealt.epoch} of {agreement_id} is not the one of its {DEALT}.",
            "Nothing was sealed; the operator has to compare database and ledger.",
        )
    return row


def _no_key(agreement_id: AgreementId) -> NotInLedger:
    return NotInLedger(
        f"{agreement_id} has no text in force whose agents have shown that their key opens.",
        "Nothing was acknowledged; the operator has to look at its acceptances and ceremony.",
    )
