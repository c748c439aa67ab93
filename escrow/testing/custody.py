"""Sessions of the agents in a portal world: what each agent's client sends, over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from escrow.custody.reading import shown_custody
from escrow.custody.sessions import (
    WITH_SHARES,
    Answer,
    Challenge,
    Item,
    Proof,
    Purpose,
    answer_subject,
    items_root,
)
from escrow.custody.shares import seal_shares
from escrow.ground.identifiers import AgreementId
from escrow.ledger.verifying import LedgerProof, verify_proof
from escrow.testing.releases import ReleaseWorld
from escrow.vault import age
from escrow.vault.ceremony import OpenedShare, open_share_file


class CustodyWorld(ReleaseWorld):
    """A release world whose agents also drill, hold sessions and re-share."""

    def try_beginning(
        self, purpose: str, who: str = "agent_1", agreements: Sequence[str] = (), **more: object
    ) -> httpx.Response:
        """Ask the agents for something."""
        body = {"purpose": purpose, "agreements": list(agreements) or [self.agreement], **more}
        return self.ask("POST", "/custody/sessions", who, json=body)

    def begin_session(
        self, purpose: str, agreements: Sequence[str] = (), panel: bool = False
    ) -> str:
        """The same, which must be taken; return the session's id."""
        answer = self.try_beginning(purpose, agreements=agreements, panel=panel)
        if not answer.is_success:
            raise ValueError(answer.text)
        return str(answer.json()["id"])

    def answer_body(
        self,
        session: str,
        agent: str,
        *,
        signer: str = "",
        shares_of: str = "",
        act: Mapping[str, object] | None = None,
        sealed: Callable[[Challenge, age.Recipient, OpenedShare], bytes] | None = None,
    ) -> dict[str, Any]:
        """Return what an agent's client sends.

        Args:
            signer: whose signing key; the agent's own unless another is named.
            shares_of: whose shares; the agent's own unless another is named.
            act: fields of what is signed that are to say something else.
            sealed: makes another file of shares from the first agreement's.
        """
        holder = shares_of or agent
        key = str(self.cast.signing_key(holder).public).replace("+", "%2B")
        sent = self.do("GET", f"/custody/sessions/{session}/challenge?key={key}", holder)
        opened = verify_proof(LedgerProof.from_json(sent["opened"]), self.ledger.keys)
        data = opened.event.data
        challenge = Challenge(session, Purpose(str(data["purpose"])), str(data["nonce"]))
        items = [Item.from_json(one) for one in sent["items"]]
        identity = self.cast.identity(holder)
        shares = {
            one["place"]: open_share_file(base64.b64decode(one["file"]), identity)
            for one in sent["shares"]
        }
        proofs = [
            challenge.sign(place, items[place], share.index, share.share)
            for place, share in sorted(shares.items())
        ]
        file = None
        if challenge.purpose in WITH_SHARES:
            one_time = age.parse_recipient(str(data["one_time_recipient"]))
            given = {place: (one.index, one.share) for place, one in shares.items()}
            file = (
                sealed(challenge, one_time, shares[0])
                if sealed
                else seal_shares(challenge, given, one_time)
            )
        return self._signed_answer(
            signer or agent, challenge, items_root(items), opened.entry_sha256, proofs, file, act
        )

    def _signed_answer(
        self,
        who: str,
        challenge: Challenge,
        root: str,
        entry_sha256: str,
        proofs: Sequence[Proof],
        file: bytes | None,
        act: Mapping[str, object] | None,
    ) -> dict[str, Any]:
        document = Answer(tuple(proofs), file).to_bytes()
        subject = answer_subject(challenge, root, entry_sha256, document) | dict(act or {})
        envelope = self.signed(who, "answer-custody", subject)
        return {"envelope": envelope, "document": base64.b64encode(document).decode()}

    def try_answering(
        self,
        session: str,
        agent: str,
        *,
        signer: str = "",
        shares_of: str = "",
        act: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Have an agent answer; see :meth:`answer_body`."""
        body = self.answer_body(session, agent, signer=signer, shares_of=shares_of, act=act)
        return self.ask("POST", f"/custody/sessions/{session}/answers", agent, json=body)

    def answer(self, session: str, agent: str) -> dict[str, Any]:
        """Have an agent answer, which must be taken."""
        answer = self.try_answering(session, agent)
        if not answer.is_success:
            raise ValueError(answer.text)
        document: dict[str, Any] = answer.json()
        return document

    def custody(self, agreement: str = "") -> dict[str, Any]:
        """Return how custody stands; asked of the room, since tokens expire before shares do."""
        with self.database.reading() as session:
            found = AgreementId(agreement or self.agreement)
            return shown_custody(session, found, self.clock.now())
