"""Release requests in a portal world: what each person signs and sends, over HTTP."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx

from escrow.evidence import acts
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, RequestId, new_id
from escrow.ledger.chains import Chain, verify_chain
from escrow.ledger.events import Stream
from escrow.releases.decision import matter_of
from escrow.releases.history import fold
from escrow.releases.subjects import (
    ConfirmationSubject,
    Evidence,
    RequestSubject,
    SealedShare,
    act_subject,
)
from escrow.testing.databases import trial_databases
from escrow.testing.portal import PortalWorld
from escrow.vault import age
from escrow.vault.ceremony import open_share_file
from escrow.vault.release_shares import seal_release_share

STATEMENT = b"The vendor was wound up on 2 January 2026."
EVIDENCE = b"Docket 17 of the court, page 1."


@dataclass(frozen=True)
class SettledFolder:
    """What a settled world left behind when it was closed; copied, never changed."""

    folder: Path
    agreement: str
    tokens: Mapping[str, str]


class ReleaseWorld(PortalWorld):
    """A portal world whose people also request, object and confirm."""

    agreement = ""

    @classmethod
    def copied(cls, settled: SettledFolder, folder: Path) -> Self:
        """Return a world that goes on where another was settled, in a folder of its own."""
        shutil.copytree(settled.folder, folder, dirs_exist_ok=True)
        trial_databases().copy(settled.folder, folder)
        world = cls(folder)
        world.agreement, world.tokens = settled.agreement, dict(settled.tokens)
        return world

    def settle(self) -> str:
        """Do everything that comes before a request; return the id of a verified deposit."""
        self.set_up()
        self.agreement = self.bring_into_force()
        deposit = self.deposit()
        self.verify(deposit)
        return deposit

    def request_subject(self, **changes: object) -> RequestSubject:
        """Return what the beneficiary asks for."""
        values: dict[str, Any] = {
            "agreement_id": AgreementId(self.agreement),
            "version": 1,
            "text_sha256": self.cast.agreement.text_sha256,
            "request_id": RequestId(new_id("req")),
            "condition": "vendor-insolvency",
            "recipient": str(self.cast.identity("beneficiary_primary").recipient),
            "statement_sha256": sha256_hex(STATEMENT),
            "evidence": (Evidence("court-record", sha256_hex(EVIDENCE)),),
        }
        return RequestSubject(**(values | changes))

    def try_filing(
        self, subject: RequestSubject, signer: str = "beneficiary", who: str = "beneficiary"
    ) -> httpx.Response:
        """Sign and send a request."""
        papers = [_paper("statement", STATEMENT), _paper("court-record", EVIDENCE)]
        envelope = self.signed(signer, "file-release-request", subject.to_json())
        body = {"envelope": envelope, "papers": papers}
        return self.ask("POST", f"/agreements/{self.agreement}/requests", who, json=body)

    def request(self, **changes: object) -> str:
        """File a request and return its id."""
        subject = self.request_subject(**changes)
        answer = self.try_filing(subject)
        if not answer.is_success:
            raise ValueError(answer.text)
        return subject.request_id

    def try_act(
        self,
        request: str,
        who: str,
        act: acts.ActName,
        papers: Mapping[str, bytes] | None = None,
        **more: object,
    ) -> httpx.Response:
        """Sign an act on a request with a person's key and send it with his token."""
        shown = self.do("GET", f"/requests/{request}", who)
        subject = act_subject(
            AgreementId(self.agreement), RequestId(request), shown["request_act_sha256"], **more
        )
        sent = [_paper(kind, content) for kind, content in (papers or {}).items()]
        body = {"envelope": self.signed(who, act, subject), "papers": sent}
        return self.ask("POST", f"/requests/{request}/acts", who, json=body)

    def act_on(self, request: str, who: str, act: acts.ActName, **more: object) -> dict[str, Any]:
        """Do an act that must be taken."""
        answer = self.try_act(request, who, act, None, **more)
        if not answer.is_success:
            raise ValueError(answer.text)
        document: dict[str, Any] = answer.json()
        return document

    def instruct_otherwise(self, request: str) -> httpx.Response:
        """Have the vendor file contrary instructions."""
        return self.try_act(
            request,
            "vendor",
            "file-contrary-instructions",
            {"statement": b"It did not occur."},
            ground="not-occurred",
            statement_sha256=sha256_hex(b"It did not occur."),
        )

    def serve(self, request: str, day: str, method: str = "courier") -> httpx.Response:
        """Have the first agent state service."""
        return self.try_act(
            request,
            "agent_1",
            "state-service",
            {"proof": b"Signed for at the door."},
            method=method,
            day=day,
            proof_sha256=sha256_hex(b"Signed for at the door."),
        )

    def confirmation_body(
        self,
        request: str,
        agent: str,
        *,
        signer: str = "",
        shares_of: str = "",
        **changes: object,
    ) -> dict[str, Any]:
        """Return what an agent's client sends.

        Args:
            signer: whose signing key; the agent's own unless another is named.
            shares_of: whose share; the agent's own unless another is named.
            changes: fields of the subject that are to say something else.
        """
        sent = self.do("GET", f"/requests/{request}/confirmation", agent)
        stream = Stream("agreement", self.agreement)
        chain = verify_chain(Chain.from_json(sent["chain"]), self.ledger.keys, stream)
        history = fold(chain.events, RequestId(request), self.cast.agreement)
        opening = history.openings[-1]
        one_time = age.parse_recipient(str(opening.data["one_time_recipient"]))
        holder = shares_of or agent
        given = self.do("GET", f"/requests/{request}/confirmation", holder) if shares_of else sent
        dealt = given["shares"][0]
        share = open_share_file(base64.b64decode(dealt["file"]), self.cast.identity(holder))
        sealed = seal_release_share(share, RequestId(request), one_time)
        matter = matter_of(history, self.cast.agreement, opening)
        own = {
            "ledger_head": chain.head_sha256,
            "expires_at": self.clock.now() + timedelta(days=7),
            "shares": (SealedShare(dealt["epoch"], dealt["index"], sha256_hex(sealed)),),
        }
        subject = ConfirmationSubject(**{**vars(matter), **own, **changes})
        envelope = self.signed(signer or agent, "confirm-release", subject.to_json())
        shares = [{**dealt, "file": base64.b64encode(sealed).decode()}]
        del shares[0]["recipient"]
        return {"envelope": envelope, "shares": shares}

    def try_confirming(
        self, request: str, agent: str, signer: str = "", shares_of: str = "", **changes: object
    ) -> httpx.Response:
        """Have an agent confirm."""
        body = self.confirmation_body(request, agent, signer=signer, shares_of=shares_of, **changes)
        return self.ask("POST", f"/requests/{request}/confirmations", agent, json=body)

    def confirm(self, request: str, agent: str) -> dict[str, Any]:
        """Have an agent confirm, which must be taken."""
        answer = self.try_confirming(request, agent)
        if not answer.is_success:
            raise ValueError(answer.text)
        document: dict[str, Any] = answer.json()
        return document

    def fetch(self, request: str, file_id: str, who: str = "beneficiary") -> httpx.Response:
        """Fetch one age file."""
        return self.ask("GET", f"/requests/{request}/files/{file_id}", who)


def _paper(kind: str, content: bytes) -> dict[str, str]:
    return {"kind": kind, "name": f"{kind}.txt", "content": base64.b64encode(content).decode()}
