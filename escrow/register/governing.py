"""Which texts of an agreement count, from the events of its stream; pure.

The portal's entry says *when* a version came into force. *Whether* it counts is read from the acts
of the people themselves, which the ledger holds verbatim: a portal that was taken over gives force
to nothing that nobody accepted. Portal, keyholder and the agents' clients ask this one rule.

Guarantees: a text that counts was accepted by everybody whom it names, and by the parties of the
text before it, each bound by its own persons as *that* text pins them. So newcomers cannot put
themselves in anybody's place, and whoever leaves an organisation blocks nothing while another of
its pinned persons binds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agreements.terms import Agreement
from escrow.evidence.acts import ActName, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.errors import ChainBroken
from escrow.ledger.events import Event
from escrow.register.errors import AgreementTextTampered
from escrow.register.status import are_bound, have_accepted
from escrow.register.subjects import acceptance_subject, check_subject

FILED = "register:agreement:filed"
ACCEPTED = "register:agreement:accepted"
IN_FORCE = "register:agreement:in-force"

ACCEPT_ACT: ActName = "accept-agreement"

TermsOf = Callable[[int], Agreement]
"""Reads the terms of a version; whether they are those that were filed is looked at here."""

_Text = tuple[int, str]


@dataclass(frozen=True)
class InForce:
    """A version that came into force and counts.

    Attributes:
        place: of the entry that says so, in the agreement's stream.
        accepted_by: keys that had accepted exactly this text by then.
    """

    place: int
    version: int
    terms: Agreement
    accepted_by: frozenset[str]

    @property
    def text(self) -> _Text:
        """Version and digest."""
        return self.version, self.terms.text_sha256


@dataclass(frozen=True)
class Texts:
    """What the events say of an agreement's texts.

    Args:
        in_force: those that came into force and count, in order.
        filed: each version's digest as it was filed first, without gaps; a second filing of a
            number is none, nor is one out of turn.
        accepted: version and digest → keys whose own signed acceptance stands in the stream.
    """

    agreement_id: AgreementId
    in_force: tuple[InForce, ...]
    filed: Mapping[int, str]
    accepted: Mapping[_Text, frozenset[str]]
    read: TermsOf

    @property
    def last(self) -> InForce | None:
        """The text in force; None before the first."""
        return self.in_force[-1] if self.in_force else None

    def at(self, place: int) -> InForce | None:
        """Return the text that was in force where an entry stands; None before the first."""
        return next((one for one in reversed(self.in_force) if one.place < place), None)

    def of(self, version: int) -> Agreement | None:
        """Return a version as it was filed, accepted or not; None where it never was.

        Raises:
            AgreementTextTampered: what is read is another text.
        """
        if version not in self.filed:
            return None
        terms = self.read(version)
        if terms.text_sha256 != self.filed[version]:
            raise AgreementTextTampered(self.agreement_id, version)
        return terms

    def counting(self, version: int) -> Agreement | None:
        """Return the text in force, or one that waits and lacks nobody's acceptance; else None.

        Raises:
            AgreementTextTampered: what is read is another text.
        """
        if self.last is not None and self.last.version == version:
            return self.last.terms
        return _accepted(self, version)


def texts_of(events: Sequence[ChainedEvent], read: TermsOf) -> Texts:
    """Return what an agreement's events say of its texts.

    What is called in force, and may not be, counts for nothing and is passed over: else one entry
    of a portal that was taken over would end an agreement.

    Args:
        events: of one agreement's stream, from the first on; whether they are proven, and of
            which agreement, is the caller's.

    Raises:
        ChainBroken: the beginning is missing, and with it perhaps the text that governs.
        AgreementTextTampered: a text that was accepted is read as another.
    """
    if not events or events[0].event.sequence != 0:
        raise ChainBroken("The history does not begin with the agreement's first entry.")
    agreement_id = AgreementId(events[0].event.stream.id)
    filed: dict[int, str] = {}
    accepted: dict[_Text, frozenset[str]] = {}
    in_force: list[InForce] = []
    for one in events:
        event, text = one.event, _text(one.event)
        if event.role != "portal" or text is None:
            continue
        if event.type == FILED and text[0] == len(filed) + 1:
            # One number after the other, as filing gives them: one far ahead, which nobody's
            # amendment ever reaches, would leave the agreement without amendments for ever.
            filed[text[0]] = text[1]
        elif event.type == ACCEPTED:
            signer = signer_of(event.data.get("act"), agreement_id, *text)
            accepted[text] = accepted.get(text, frozenset()) | ({signer} if signer else set())
        elif event.type == IN_FORCE and filed.get(text[0]) == text[1]:
            # As it stands here: what is signed later gives no force backwards.
            before = Texts(agreement_id, tuple(in_force), filed, accepted, read)
            terms = _accepted(before, text[0])
            if terms is not None:
                in_force.append(InForce(event.sequence, text[0], terms, accepted[text]))
    return Texts(agreement_id, tuple(in_force), filed, accepted, read)


def _accepted(texts: Texts, version: int) -> Agreement | None:
    """Return a text that may follow the one in force, once everybody who has to has accepted it.

    1. It is the newest that was filed: what was replaced comes back by nobody's word. 2. The
    parties of the text in force have accepted it. 3. So has everybody whom it names itself. The
    text is read only after question 2, so that nobody else can put an unreadable one in the way.
    """
    before = texts.last
    # 1. the number
    if version != max(texts.filed, default=0):
        return None
    keys = texts.accepted.get((version, texts.filed[version]), frozenset())
    # 2. who governs
    if before is not None and not are_bound(before.terms, keys):
        return None
    # 3. who is named
    terms = texts.of(version)
    return terms if terms is not None and have_accepted(terms, keys) else None


def _text(event: Event) -> _Text | None:
    version, digest = event.data.get("version"), event.data.get("text_sha256")
    # Types count: True is not the version 1.
    return (version, digest) if type(version) is int and isinstance(digest, str) else None


def signer_of(envelope: object, agreement_id: str, version: int, text_sha256: str) -> str | None:
    """Return the key that signed an acceptance of exactly this text; None where nobody did.

    Args:
        envelope: as an entry or a message holds it; nothing of it is believed.
    """
    try:
        signed = Envelope.from_json(cast("dict[str, Any]", envelope))
        act = verify_act(signed, parse_act(signed.payload).key)
        expected = acceptance_subject(AgreementId(agreement_id), version, text_sha256)
        check_subject(act.subject, expected)
    except (EscrowError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return str(act.key) if act.name == ACCEPT_ACT else None
