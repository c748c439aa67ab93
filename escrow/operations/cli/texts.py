"""What an agent's client believes of an agreement's text: signed acceptances, his own before all.

The service says which text a session, a release or an ending is under. An agent gives nothing for
a text that he has not accepted himself, whatever is said to be in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from escrow.ground.errors import Refused, Tampered

if TYPE_CHECKING:
    from escrow.custody.sessions import Item
    from escrow.ledger.chains import ProvenChain
    from escrow.register.governing import InForce, Texts


class TextNotInForce(Tampered):
    """The text that was sent is not the one that the proven history names."""

    code = "cli.text-not-in-force"


class TextNotAccepted(Refused):
    """The agent has not accepted the text that he is asked to do something under."""

    code = "cli.text-not-accepted"

    def __init__(self, agreement_id: str, version: int) -> None:
        super().__init__(
            f"You have not accepted version {version} of {agreement_id}.",
            "Give nothing under it; accept it first if it is right: 'escrow agreement accept'. "
            "If you were never asked to, tell the other agents and the parties.",
        )


def proven_texts(chain: ProvenChain, sent: Mapping[str, str]) -> Texts:
    """Return what a proven history says of an agreement's texts.

    Args:
        sent: texts by version, as the service has them; each is compared with the history.

    Raises:
        TextNotInForce: one is needed and was not sent.
        AgreementTextTampered, ChainBroken: one is another; the history has no beginning.
    """
    from agreements.parsing import reread_agreement
    from escrow.register.governing import texts_of

    try:
        return texts_of(chain.events, lambda version: reread_agreement(sent[str(version)]))
    except KeyError:
        raise _not_in_force() from None


def text_in_force(texts: Texts) -> InForce:
    """Return the text in force.

    Raises:
        TextNotInForce: nobody has accepted any.
    """
    if texts.last is None:
        raise _not_in_force()
    return texts.last


def check_about(text: InForce, text_sha256: str) -> None:
    """Return when something that was signed is about the text in force.

    Raises:
        TextNotInForce: it is about another.
    """
    if text.terms.text_sha256 != text_sha256:
        raise _not_in_force()


def check_own(agreement_id: str, text: InForce, key: str) -> None:
    """Return when an agent has accepted the text that he acts under.

    Raises:
        TextNotAccepted: he has not.
    """
    if key not in text.accepted_by:
        raise TextNotAccepted(agreement_id, text.version)


def check_accepted(items: Sequence[Item], sent: Sequence[Mapping[str, Any]], key: str) -> None:
    """Return when an agent has accepted each text to whose agents a session would deal.

    One who leaves has accepted the text that the new one replaces: for him every party of that
    one must have accepted the new one.

    Args:
        sent: for each item in order, what :func:`_has_accepted` looks at.

    Raises:
        TextNotAccepted: one he has not.
    """
    for place, item in enumerate(items):
        if place >= len(sent) or not _has_accepted(item, sent[place], key):
            raise TextNotAccepted(item.agreement_id, item.version)


def _has_accepted(item: Item, sent: Mapping[str, Any], key: str) -> bool:
    """Tell whether a key's own acceptance is there; nothing that was sent is believed.

    Args:
        sent: ``own``: his acceptance of the item's text; else ``before``: a text that he has
            accepted, with its version, that acceptance, and all acceptances of the item's text.
    """
    from agreements.parsing import reread_agreement
    from escrow.register.governing import signer_of
    from escrow.register.status import are_bound

    agreement, text = item.agreement_id, (item.version, item.text_sha256)
    if signer_of(sent.get("own"), agreement, *text) == key:
        return True
    before = sent.get("before")
    if not before or not int(before["version"]) < item.version:
        return False
    terms = reread_agreement(str(before["text"]))
    own = signer_of(before["own"], agreement, int(before["version"]), terms.text_sha256)
    signed = frozenset(signer_of(one, agreement, *text) or "" for one in before["acceptances"])
    is_agent = key in {agent.signing_key for agent in terms.agents}
    return own == key and is_agent and are_bound(terms, signed)


def _not_in_force() -> TextNotInForce:
    return TextNotInForce(
        "The agreement's text that was sent is not the one that is in force.",
        "Confirm nothing; tell the other agents and the operator.",
    )
