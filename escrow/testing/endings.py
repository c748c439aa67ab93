"""Endings in a world of releases: what each person signs and sends, over HTTP."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx

from escrow.endings.folding import fold_endings
from escrow.endings.subjects import ID_PREFIXES, following_subject, opening_subject
from escrow.evidence import acts
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, new_id
from escrow.ledger.chains import Chain, verify_chain
from escrow.ledger.events import Stream
from escrow.register.governing import texts_of
from escrow.testing.releases import ReleaseWorld

WORDS = b"By order of the court of 5 January 2026."

_KINDS = {
    "place-hold": "hold",
    "withdraw-deposit": "withdrawal",
    "request-destruction": "destruction",
}


class Endings:
    """What people do in a world to end things, or to keep them.

    Args:
        world: with an agreement in force and one verified deposit.
    """

    def __init__(self, world: ReleaseWorld) -> None:
        self.world = world

    def try_act(
        self, who: str, act: acts.ActName, ending: str = "", signer: str = "", **own: str
    ) -> httpx.Response:
        """Sign an act with a person's key and send it with his token.

        Args:
            ending: that it is about; a new one where none is named.
            signer: whose key; his own unless another is named.
        """
        world, agreement = self.world, AgreementId(self.world.agreement)
        papers = []
        for name, kind in (("statement_sha256", "statement"), ("proof_sha256", "proof")):
            if name in own:
                content = base64.b64encode(WORDS).decode()
                papers.append({"kind": kind, "name": f"{kind}.txt", "content": content})
        if act in _KINDS:
            shown = world.do("GET", f"/agreements/{agreement}", who)
            subject = opening_subject(
                agreement,
                shown["in_force_version"] or shown["version"],
                world.cast.agreement.text_sha256,
                ending or new_id(ID_PREFIXES[_KINDS[act]]),
                **own,
            )
        else:
            opened = world.do("GET", f"/endings/{ending}", who)["opening_act_sha256"]
            subject = following_subject(agreement, ending, opened, **own)
        body = {"envelope": world.signed(signer or who, act, subject), "papers": papers}
        return world.ask("POST", f"/agreements/{agreement}/endings", who, json=body)

    def act(self, who: str, act: acts.ActName, ending: str = "", **own: str) -> dict[str, Any]:
        """Do an act that must be taken."""
        answer = self.try_act(who, act, ending, **own)
        if not answer.is_success:
            raise ValueError(answer.text)
        document: dict[str, Any] = answer.json()
        return document

    def hold(self, who: str = "beneficiary") -> str:
        """Place a hold and return its id."""
        return str(self.act(who, "place-hold", statement_sha256=sha256_hex(WORDS))["id"])

    def lift(self, hold: str, who: str = "beneficiary") -> dict[str, Any]:
        """Lift a hold."""
        return self.act(who, "lift-hold", hold, statement_sha256=sha256_hex(WORDS))

    def withdraw(self, deposit: str, reason: str = "secret") -> str:
        """Withdraw a deposit and return the withdrawal's id."""
        made = self.act("vendor", "withdraw-deposit", deposit_id=deposit, reason=reason)
        return str(made["id"])

    def request_destruction(self, who: str = "vendor") -> str:
        """Request the destruction and return its id."""
        return str(self.act(who, "request-destruction", statement_sha256=sha256_hex(WORDS))["id"])

    def until_confirmable(self) -> str:
        """Request a destruction, serve it, and let the grace period pass; return its id."""
        ending = self.request_destruction()
        self.act("beneficiary", "acknowledge-destruction", ending)
        self.world.clock.moment += timedelta(days=32)
        self.world.rooms.endings.push_all_on()
        return ending

    def try_confirming(self, ending: str, agent: str, **changes: str) -> httpx.Response:
        """Have an agent confirm, as his client does after it has checked the chain."""
        world = self.world
        sent = world.do("GET", f"/endings/{ending}/confirmation", agent)
        stream = Stream("agreement", world.agreement)
        chain = verify_chain(Chain.from_json(sent["chain"]), world.ledger.keys, stream)
        terms = world.cast.agreement
        fold_endings(chain.events, texts_of(chain.events, lambda _: terms))
        own = {"text_sha256": terms.text_sha256, "ledger_head": chain.head_sha256} | changes
        return self.try_act(agent, "confirm-destruction", ending, **own)

    def confirm(self, ending: str, agent: str) -> dict[str, Any]:
        """Have an agent confirm, which must be taken."""
        answer = self.try_confirming(ending, agent)
        if not answer.is_success:
            raise ValueError(answer.text)
        document: dict[str, Any] = answer.json()
        return document

    def pass_quarantine(self) -> None:
        """Let the period of a withdrawal pass, and do what is due."""
        self.world.clock.moment += timedelta(days=15)
        self.world.rooms.endings.push_all_on()
