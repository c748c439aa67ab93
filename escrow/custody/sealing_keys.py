"""Is this the key that a vendor may seal to? Answered by the ledger, in the vendor's own client.

Whoever serves the recipient could serve his own. So it comes with the whole history of the
agreement, and counts only when the keyholder itself logged that it dealt this key to the agents of
the text that everybody accepted, and nothing after that says that it is used up or followed by
another. That the history reaches to its newest entry is told by who watches the log, its
witnesses; the caller asks them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agreements.parsing import reread_agreement
from agreements.terms import Agreement
from escrow.custody.errors import SealingKeyNotProven
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import Chain, ChainedEvent, verify_chain
from escrow.ledger.checkpoints import Checkpoint
from escrow.ledger.events import Event, Stream
from escrow.ledger.verifying import TrustedLogKeys
from escrow.register.governing import Texts, texts_of

KEYHOLDER = "keyholder"
DEALT = "vault:epoch:dealt"
BURNT = "vault:epoch:burnt"
CANARY_OPENED = "register:ceremony:canary-opened"


@dataclass(frozen=True)
class Dealt:
    """A sealing key as the keyholder logged its dealing, with the text to whose agents.

    Args:
        event: the keyholder's own.
        terms: as they were filed, when the shares were dealt; accepted or not.
    """

    event: Event
    terms: Agreement

    @property
    def epoch(self) -> int:
        """Its number."""
        return cast("int", self.event.data["epoch"])

    @property
    def recipient_sha256(self) -> str:
        """Digest of its recipient."""
        return str(self.event.data["recipient_sha256"])

    @property
    def liveness_keys(self) -> tuple[str, ...]:
        """Of its shares, in the order of their numbers."""
        return tuple(cast("list[str]", self.event.data["liveness_keys"]))

    def is_held_as(self, terms: Agreement) -> bool:
        """Tell whether a text names the same holders and the same k."""
        return _holders(terms) == _holders(self.terms)


@dataclass(frozen=True)
class ProvenKey:
    """A sealing key that the keyholder dealt to the agents, and the log's word for it."""

    agreement_id: AgreementId
    epoch: int
    recipient: str
    k: int
    n: int
    checkpoint: Checkpoint


def dealt_keys(events: Sequence[ChainedEvent], texts: Texts) -> Iterator[Dealt]:
    """Yield every key that the keyholder dealt for a text that was filed, in order."""
    for one in events:
        event = one.event
        if (event.type, event.role) == (DEALT, KEYHOLDER):
            terms = texts.of(cast("int", event.data["version"]))
            if terms is not None:
                yield Dealt(event, terms)


def verify_sealing_key(
    sent: Mapping[str, Any], agreement_id: AgreementId, keys: TrustedLogKeys
) -> ProvenKey:
    """Return the key that was sent, once the ledger bears it out.

    1. The entries are the whole history of this agreement, and hold under the trust root. 2. A
    text is in force that everybody whom it names has accepted. 3. The keyholder dealt a key with
    exactly this recipient, to the agents of that text, and its canary was opened since. 4. No other
    was dealt after it, and it was not combined.

    Args:
        sent: ``recipient``, ``texts`` and ``chain``, as the service answers; not believed.
        agreement_id: as the vendor knows it.

    Raises:
        ChainBroken, ProofFails, RoleSignatureWrong, AgreementTextTampered, …: question 1 or 2, by
            their own names.
        SealingKeyNotProven: question 2, 3 or 4.
    """
    # 1. the chain
    stream = Stream("agreement", agreement_id)
    chain = verify_chain(Chain.from_json(sent.get("chain", {})), keys, stream)
    # 2. the text
    texts = texts_of(chain.events, lambda version: _text(sent, version))
    if texts.last is None:
        raise SealingKeyNotProven("no text is in force that everybody has accepted")
    # 3. the dealing
    recipient = str(sent.get("recipient"))
    dealt = list(dealt_keys(chain.events, texts))
    named = [one for one in dealt if one.recipient_sha256 == sha256_hex(recipient.encode())]
    if not named or not named[-1].is_held_as(texts.last.terms):
        raise SealingKeyNotProven("the keyholder did not deal this key to the agents in force")
    key = named[-1]
    if not any(_is_about(one.event, CANARY_OPENED, key.epoch) for one in chain.events):
        raise SealingKeyNotProven("no agent has opened its canary")
    # 4. what came after
    is_burnt = any(_is_about(one.event, BURNT, key.epoch) for one in chain.events)
    if is_burnt or dealt[-1].epoch != key.epoch:
        raise SealingKeyNotProven("it is used up, or another has followed it")
    terms = key.terms
    return ProvenKey(
        agreement_id,
        key.epoch,
        recipient,
        terms.sealing.k,
        len(terms.agents),
        chain.head.checkpoint,
    )


def _text(sent: Mapping[str, Any], version: int) -> Agreement:
    """Return a text as it was sent; whether it is the one that was filed, its reader asks."""
    texts = sent.get("texts")
    text = texts.get(str(version)) if isinstance(texts, Mapping) else None
    if not isinstance(text, str):
        raise SealingKeyNotProven("a text of the agreement is missing")
    return reread_agreement(text)


def _is_about(event: Event, event_type: str, epoch: int) -> bool:
    role = KEYHOLDER if event_type == BURNT else "portal"
    return (event.type, event.role, event.data.get("epoch")) == (event_type, role, epoch)


def _holders(terms: Agreement) -> tuple[int, frozenset[str]]:
    return terms.sealing.k, frozenset(one.share_recipient for one in terms.agents)
