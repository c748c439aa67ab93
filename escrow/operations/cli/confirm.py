"""``escrow confirm``: an agent looks at a release, checks it against his trust root, and signs.

Nothing that the service says is believed: the history comes as ledger entries with one proof, the
agreement's text by its digest, the offer by its digest. What is shown is what was proven, and what
is signed is built from it here. The share leaves this machine sealed to the one-time key that the
keyholder logged for this round, and only together with the signature.
"""

from __future__ import annotations

import base64
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escrow.ground.errors import InvalidInput, Refused
from escrow.operations.cli import keys, remote
from escrow.operations.cli.agreement import KeyOption
from escrow.operations.cli.ceremony import IdentityOption
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, read_trust_root
from escrow.operations.cli.output import complain, give, wants_json
from escrow.operations.cli.texts import check_about, check_own, proven_texts, text_in_force
from escrow.operations.cli.witnessing import check_witnesses

if TYPE_CHECKING:
    from escrow.evidence.trustroot import TrustRoot
    from escrow.ledger.chains import ProvenChain
    from escrow.ledger.checkpoints import Checkpoint
    from escrow.register.governing import InForce
    from escrow.releases.history import History, Mark
    from escrow.releases.offers import Offer

# A confirmation that waits longer for the others was given on facts of another week.
EXPIRY_DAYS = 7


class NotConfirmed(Refused):
    """The agent did not say that he confirms."""

    code = "cli.not-confirmed"


class NoShareOfRound(InvalidInput):
    """The service holds no share for this identity in the round's epoch."""

    code = "cli.no-share-of-round"


def confirm(
    request: Annotated[str, typer.Argument(help="The request's id, req_….")],
    identity: IdentityOption,
    key: KeyOption,
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you were handed."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="You have read it; do not ask (for scripts).")
    ] = False,
) -> None:
    """Check a release request against the ledger, show it, and confirm its form (an agent's act).

    By confirming you say: the request has the form that the agreement asks for, and no contrary
    instruction has reached you by any channel. You do not decide whether the facts are true.

    Example: escrow confirm req_01kb… --identity cy.age --key cy.pem --trust-root trust-root.json
    """
    from escrow.evidence import acts
    from escrow.ground.clock import SystemClock

    root = read_trust_root(trust_root)
    path = f"/requests/{remote.id_path(request)}"
    sent = remote.call("GET", f"{path}/confirmation").json()
    proven = _Proven.of(sent, root)
    proven.show()
    check_witnesses(root, proven.checkpoint)
    if not yes:
        ask_to_confirm("it has the agreed form and no contrary instruction reached you")
    opener = keys.read_identity(identity)
    signer = keys.read_signing_key(key)
    proven.check_accepted_by(str(signer.public))
    subject, shares = proven.subject(sent, opener)
    payload = acts.build_act("confirm-release", subject, signer.public, SystemClock().now())
    envelope = acts.sign_act(payload, signer).to_json()
    body = {"envelope": envelope, "shares": shares}
    document = remote.call("POST", f"{path}/confirmations", json=body).json()
    given, needed = document["confirmations_given"], document["confirmations_needed"]
    give(document, f"Confirmed, {given} of {needed}. The request is {document['state']}.")


class _Proven:
    """What the ledger bears out of a request; nothing in here is the service's word."""

    def __init__(
        self, chain: ProvenChain, history: History, text: InForce, offer: Offer, opening: Mark
    ) -> None:
        self._chain = chain
        self._history = history
        self._text = text
        self._terms = text.terms
        self._offer = offer
        self._opening = opening

    @classmethod
    def of(cls, sent: dict[str, Any], root: TrustRoot) -> _Proven:
        """Return what was sent, once it is proven.

        1. The chain of the agreement's events holds under the trust root, from its first entry.
        2. The text came into force last in it, accepted by everybody who has to. 3. The request
        is about that text and approved, and nothing stands against it. 4. The keyholder opened
        this round. 5. The offer has the digest that it logged.

        Raises:
            ProofFails, ChainBroken: question 1.
            TextNotInForce, AgreementTextTampered: question 2.
            NotApproved, ObjectionStands, AgreementChanged: question 3.
            OfferBroken: question 5.
        """
        from escrow.ground.clock import SystemClock
        from escrow.ground.identifiers import RequestId
        from escrow.ledger.chains import Chain, verify_chain
        from escrow.ledger.events import Stream
        from escrow.releases.decision import approval_of
        from escrow.releases.errors import NotApproved
        from escrow.releases.history import fold
        from escrow.releases.offers import parse_offer

        # 1. the chain
        stream = Stream("agreement", str(sent["agreement_id"]))
        chain = verify_chain(Chain.from_json(sent["chain"]), root.ledger_keys, stream)
        # 2. the text
        text = text_in_force(proven_texts(chain, sent["texts"]))
        terms = text.terms
        # 3. the approval
        history = fold(chain.events, RequestId(str(sent["request_id"])), terms)
        check_about(text, history.subject.text_sha256)
        approval_of(history, terms, SystemClock().now())
        # 4. the round
        if not history.openings:
            raise NotApproved("its confirmation is not opened yet")
        opening = history.openings[-1]
        # 5. the offer
        offer = parse_offer(base64.b64decode(sent["offer"]), opening.data["offer_sha256"])
        return cls(chain, history, text, offer, opening)

    @property
    def checkpoint(self) -> Checkpoint:
        """The log's word under which all of it was shown."""
        return self._chain.head.checkpoint

    def check_accepted_by(self, key: str) -> None:
        """Return when the agent has accepted the text that he confirms under.

        Raises:
            TextNotAccepted: he has not.
        """
        check_own(self._history.subject.agreement_id, self._text, key)

    def show(self) -> None:
        """Print what is about to be confirmed, on the terminal that the answer comes from."""
        from escrow.ground.clock import SystemClock, rfc3339
        from escrow.ground.digests import sha256_hex
        from escrow.releases.decision import approval_of

        history, terms = self._history, self._terms
        approval = approval_of(history, terms, SystemClock().now())
        last = [
            f"number {one.number} of {one.sealed_at}"
            for one in self._offer.deposits
            if one.deposit_id in self._offer.last_verified
        ]
        lines = [
            f"Agreement    {terms.title} ({history.subject.agreement_id}, "
            f"version {history.subject.version})",
            f"Request      {history.subject.request_id}, by {history.request.signatory.name} of "
            f"{history.request.signatory.organisation}, {rfc3339(history.request.at)}",
            f"Condition    {history.condition.type}: {' '.join(history.condition.text.split())}",
            f"Approved by  the vendor's {approval.by}, {rfc3339(approval.at)}",
            f"Frees        {', '.join(history.condition.frees)}",
            f"Deposits     {len(self._offer.deposits)}, last verified: {'; '.join(last) or 'none'}",
            f"Sealed to    {history.subject.recipient[:60]}",
            f"             fingerprint {sha256_hex(history.subject.recipient.encode())}",
            *_changed_to(history),
            f"Ledger       {self._chain.head.checkpoint.tree_size} entries, "
            f"root {self._chain.head.checkpoint.root_hex}",
        ]
        for line in lines:
            complain(line)

    def subject(
        self, sent: dict[str, Any], opener: keys.AgeIdentity
    ) -> tuple[dict[str, object], list[dict[str, object]]]:
        """Return what is signed, and the shares sealed to the round's one-time key."""
        from dataclasses import replace

        from escrow.ground.clock import SystemClock
        from escrow.ground.digests import sha256_hex
        from escrow.releases.decision import matter_of
        from escrow.releases.subjects import SealedShare
        from escrow.vault import age
        from escrow.vault.ceremony import open_share_file
        from escrow.vault.release_shares import seal_release_share

        one_time = age.parse_recipient(str(self._opening.data["one_time_recipient"]))
        request_id = self._history.subject.request_id
        sealed = []
        for item in _own_shares(sent, opener):
            share = open_share_file(base64.b64decode(item["file"]), opener)
            sealed.append((share, seal_release_share(share, request_id, one_time)))
        matter = replace(
            matter_of(self._history, self._terms, self._opening),
            ledger_head=self._chain.head_sha256,
            expires_at=SystemClock().now() + timedelta(days=EXPIRY_DAYS),
            shares=tuple(
                SealedShare(share.epoch, share.index, sha256_hex(file)) for share, file in sealed
            ),
        )
        bodies: list[dict[str, object]] = [
            {
                "epoch": share.epoch,
                "index": share.index,
                "file": base64.b64encode(file).decode(),
            }
            for share, file in sealed
        ]
        return matter.to_json(), bodies


def _changed_to(history: History) -> list[str]:
    """Say that the key stands in no text that everybody accepted, and who changed to it."""
    from escrow.ground.clock import rfc3339

    return [
        f"             changed to by {one.by.name}, {rfc3339(one.proposed_at)}"
        for one in history.changes
        if one.recipient == history.subject.recipient and not one.is_withdrawn
    ]


def _own_shares(sent: dict[str, Any], opener: keys.AgeIdentity) -> list[dict[str, Any]]:
    own = [one for one in sent["shares"] if one["recipient"] == str(opener.recipient)]
    if not own:
        raise NoShareOfRound(
            "There is no share sealed to this identity for this release.",
            "Give the identity whose public half stands in the agreement, and your own token.",
        )
    return own


def ask_to_confirm(what: str) -> None:
    """Have the agent type a word; a click or a blank line confirms nothing.

    Raises:
        NotConfirmed: he did not.
    """
    if wants_json() or not sys.stdin.isatty():
        raise NotConfirmed(
            "Nobody is there to confirm.", "Run it on a terminal, or add --yes once you have read."
        )
    complain(f"Type 'confirm' if {what}:")
    if sys.stdin.readline().strip() != "confirm":
        raise NotConfirmed("Nothing was confirmed.", "Run it again when you are sure.")
