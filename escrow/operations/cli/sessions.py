"""``escrow ceremony drill``, ``session``, ``reshare``, ``answer``: agents renew their shares.

An agent's client believes nothing that the service says: what is asked, for which agreements and
to which one-time key comes as the keyholder's own ledger entry, proven under the agent's trust
root. The purpose is printed before anything is signed. In a drill no share leaves the machine.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escrow.ground.errors import EscrowError, InvalidInput, Refused, Tampered
from escrow.operations.cli import keys, remote
from escrow.operations.cli.agreement import KeyOption
from escrow.operations.cli.ceremony import (
    AgreementArgument,
    IdentityOption,
    app,
    opened_canary,
    send_canary_share,
)
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, read_trust_root
from escrow.operations.cli.output import complain, give, give_fields, wants_json
from escrow.operations.cli.texts import check_accepted
from escrow.operations.cli.witnessing import check_witnesses

if TYPE_CHECKING:
    from escrow.custody.sessions import Challenge, Item, Proof
    from escrow.evidence.trustroot import TrustRoot
    from escrow.ledger.verifying import VerifiedEvent
    from escrow.vault.ceremony import OpenedShare

# The group is the ceremony's; these are more commands of it.
__all__ = ["app"]

# The keyholder's own entry; see escrow/operations/keyholder/custody.py.
_OPENED = ("custody:session:opened", "keyholder")

# Of the register: this person has done this act before.
_TAKEN = "register.act-taken"

# Shorter work is done before anybody reads that it goes on.
_TOLD_EVERY = 500

SessionArgument = Annotated[str, typer.Argument(help="The session's id, ses_….")]
PanelOption = Annotated[
    bool, typer.Option("--panel", help="All agreements with exactly the same agents.")
]
TrustRootOption = Annotated[
    Path | None, typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you were handed.")
]


class NotAnswered(Refused):
    """The agent did not say that he takes part."""

    code = "cli.not-answered"


class NoShareInSession(InvalidInput):
    """The session asks for no share of this identity."""

    code = "cli.no-share-in-session"


class OtherSession(Tampered):
    """What the service sent is not the session that the keyholder logged."""

    code = "cli.other-session"


@app.command("drill")
def drill(agreement: AgreementArgument, panel: PanelOption = False) -> None:
    """Ask the agents to show that they still hold their shares; nothing is opened.

    Example: escrow ceremony drill agr_01kb… --panel
    """
    _begin("drill", agreement, panel)


@app.command("session")
def session(agreement: AgreementArgument, panel: PanelOption = False) -> None:
    """Begin the quarterly session: liveness, one real opening, re-verification, a new key.

    Example: escrow ceremony session agr_01kb…
    """
    _begin("session", agreement, panel)


@app.command("reshare")
def reshare(agreement: AgreementArgument, panel: PanelOption = False) -> None:
    """Have a new key dealt to the agents of the newest text that every party accepted.

    What is kept is sealed to it too. For an agent who leaves: file and accept the amendment first.

    Example: escrow ceremony reshare agr_01kb…
    """
    _begin("reshare", agreement, panel)


@app.command("progress")
def progress(session: SessionArgument) -> None:
    """Show how far a session has come.

    Example: escrow ceremony progress ses_01kb…
    """
    give_fields_or_json(remote.call("GET", f"/custody/sessions/{remote.id_path(session)}").json())


@app.command("carry-out")
def carry_out(session: SessionArgument) -> None:
    """Carry a session out with the shares that k agents gave, whoever is missing.

    May be typed again after a failure: it goes on with what is not done.

    Example: escrow ceremony carry-out ses_01kb…
    """
    path = f"/custody/sessions/{remote.id_path(session)}/carry-out"
    document = remote.call("POST", path).json()
    give(document, f"Done for {document['done']} of {document['agreements']} agreement(s).")


@app.command("panel")
def panel(agreement: AgreementArgument) -> None:
    """List the agreements whose key is dealt to exactly the agents of this one.

    Example: escrow ceremony panel agr_01kb…
    """
    document = remote.call("GET", f"/agreements/{remote.id_path(agreement)}/panel").json()
    give(document, "\n".join(document["items"]) or "No key counts yet.")


@app.command("custody")
def custody(agreement: AgreementArgument) -> None:
    """Show who is known to hold his share; exit code 1 where custody is impaired.

    Example: escrow ceremony custody agr_01kb…
    """
    document = remote.call("GET", f"/agreements/{remote.id_path(agreement)}/custody").json()
    give_fields_or_json({name: value for name, value in document.items() if name != "sessions"})
    if document["standing"] == "custody-impaired":
        # Beside the document: a script reads the exit code, a person both.
        raise typer.Exit(1)


@app.command("answer")
def answer(
    session: SessionArgument,
    identity: IdentityOption,
    key: KeyOption,
    trust_root: TrustRootOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="You have read it; do not ask (for scripts).")
    ] = False,
) -> None:
    """Check a session against the ledger, show its purpose, and answer it (an agent's act).

    One signature answers for every agreement of the session. It is refused where you have not
    accepted the text yourself, whatever the service says is in force.

    Example: escrow ceremony answer ses_01kb… --identity cy.age --key cy.pem --yes
    """
    from escrow.custody.sessions import Answer, answer_subject
    from escrow.evidence import acts
    from escrow.ground.clock import SystemClock

    root, signer = read_trust_root(trust_root), keys.read_signing_key(key)
    path = f"/custody/sessions/{remote.id_path(session)}"
    asked_as = {"key": str(signer.public)}
    sent = remote.call("GET", f"{path}/challenge", parameters=asked_as).json()
    asked = Asked.verified(session, sent, root)
    asked.show()
    check_accepted(asked.items, sent["acceptances"], str(signer.public))
    if not yes:
        _ask()
    shares = _opened_shares(asked, sent["shares"], keys.read_identity(identity))
    answered = Answer(tuple(asked.proofs(shares)), asked.sealed(shares))
    document = answered.to_bytes()
    subject = answer_subject(asked.challenge, asked.root, asked.opened.entry_sha256, document)
    payload = acts.build_act("answer-custody", subject, signer.public, SystemClock().now())
    envelope = acts.sign_act(payload, signer).to_json()
    body = {"envelope": envelope, "document": base64.b64encode(document).decode()}
    shown = remote.call("POST", f"{path}/answers", json=body).json()
    give(shown, f"Answered for {len(shares)} agreement(s). The session is {shown['state']}.")


@app.command("contribute-all")
def contribute_all(
    session: SessionArgument,
    identity: IdentityOption,
    to: Annotated[str, typer.Option(help="The opening agent's age1… recipient.")],
) -> None:
    """Send your share of every canary of a session to the agent who opens them all.

    May be typed again; what was sent is sent anew.

    Example: escrow ceremony contribute-all ses_01kb… --identity di.age --to age1…
    """
    opener, agreements = keys.read_identity(identity), _agreements_of(session)
    for number, agreement in enumerate(agreements, 1):
        send_canary_share(agreement, opener, to)
        _tell_progress(number, len(agreements))
    give({"agreements": len(agreements)}, f"Sent for {len(agreements)} agreement(s).")


@app.command("open-canaries")
def open_canaries(session: SessionArgument, identity: IdentityOption, key: KeyOption) -> None:
    """Open every canary of a session, and state under your key that they opened.

    One that you have opened before is passed over, so that it may be typed again.

    Example: escrow ceremony open-canaries ses_01kb… --identity cy.age --key cy.pem
    """
    from escrow.evidence import acts
    from escrow.ground.clock import SystemClock

    opener, signer = keys.read_identity(identity), keys.read_signing_key(key)
    agreements, opened = _agreements_of(session), 0
    for number, agreement in enumerate(agreements, 1):
        subject = opened_canary(agreement, opener)
        payload = acts.build_act("open-canary", subject, signer.public, SystemClock().now())
        envelope = acts.sign_act(payload, signer).to_json()
        try:
            remote.call("POST", f"/agreements/{remote.id_path(agreement)}/acts", json=envelope)
            opened += 1
        except EscrowError as refusal:
            if refusal.code != _TAKEN:
                raise
        _tell_progress(number, len(agreements))
    document = {"agreements": len(agreements), "opened": opened}
    give(document, f"Opened {opened} of {len(agreements)} canaries; the others were before.")


@dataclass(frozen=True)
class Asked:
    """A session as the keyholder logged it; nothing in here is the service's word."""

    challenge: Challenge
    items: tuple[Item, ...]
    root: str
    opened: VerifiedEvent

    @classmethod
    def verified(cls, session_id: str, sent: Mapping[str, Any], root: TrustRoot) -> Asked:
        """Return what was sent, once it is proven.

        1. The opening stands in the ledger under the trust root. 2. The keyholder wrote it, for
        this session. 3. The agreements are those whose Merkle root it names. 4. Its time is not
        over. 5. The witnesses of the trust root bear the history out.

        Raises:
            ProofFails: question 1.
            OtherSession: question 2 or 3.
            NotAnswered: question 4.
            NoQuorum, OtherHistoryShown: question 5.
        """
        from escrow.custody.sessions import Challenge, Item, Purpose, items_root
        from escrow.ground.clock import SystemClock, parse_rfc3339
        from escrow.ledger.verifying import LedgerProof, verify_proof

        # 1. the ledger
        opened = verify_proof(LedgerProof.from_json(sent["opened"]), root.ledger_keys)
        event = opened.event
        # 2. who wrote it
        if (event.type, event.role) != _OPENED or event.data.get("session_id") != session_id:
            raise _other_session()
        # 3. the agreements
        items = tuple(Item.from_json(one) for one in sent["items"])
        if items_root(items) != event.data["items_root"]:
            raise _other_session()
        # 4. the time
        if parse_rfc3339(str(event.data["ends_at"])) <= SystemClock().now():
            raise NotAnswered("The session's time is over.", "Begin another one.")
        # 5. the witnesses
        check_witnesses(root, opened.checkpoint)
        purpose = Purpose(str(event.data["purpose"]))
        challenge = Challenge(session_id, purpose, str(event.data["nonce"]))
        return cls(challenge, items, str(event.data["items_root"]), opened)

    def show(self) -> None:
        """Print what is about to be signed, on the terminal that the answer comes from."""
        from escrow.custody.sessions import PRINTED

        checkpoint = self.opened.checkpoint
        complain(f"Purpose      {PRINTED[self.challenge.purpose]}")
        complain(
            f"Session      {self.challenge.session_id}, until {self.opened.event.data['ends_at']}"
        )
        complain(f"Agreements   {len(self.items)}, Merkle root {self.root}")
        if len(self.items) == 1:
            [item] = self.items
            complain(f"             {item.agreement_id}, key {item.epoch}, {item.k} of {item.n}")
            complain(f"Dealt to     the agents of version {item.version}, {item.text_sha256}")
        complain(f"Ledger       {checkpoint.tree_size} entries, root {checkpoint.root_hex}")

    def proofs(self, shares: Mapping[int, OpenedShare]) -> Sequence[Proof]:
        """Return a signature for each share, by a key derived from it."""
        return [
            self.challenge.sign(place, self.items[place], share.index, share.share)
            for place, share in sorted(shares.items())
        ]

    def sealed(self, shares: Mapping[int, OpenedShare]) -> bytes | None:
        """Return the shares sealed to the one-time key that was logged; None in a drill."""
        from escrow.custody.sessions import WITH_SHARES
        from escrow.custody.shares import seal_shares
        from escrow.vault import age

        if self.challenge.purpose not in WITH_SHARES:
            return None
        one_time = age.parse_recipient(str(self.opened.event.data["one_time_recipient"]))
        given = {place: (share.index, share.share) for place, share in shares.items()}
        return seal_shares(self.challenge, given, one_time)


def give_fields_or_json(document: Mapping[str, object]) -> None:
    """Print a document as aligned lines, or as it is for machines."""
    if wants_json():
        give(document)
    else:
        give_fields(document)


def _begin(purpose: str, agreement: str, panel: bool) -> None:
    body = {"purpose": purpose, "agreements": [agreement], "panel": panel}
    document = remote.call("POST", "/custody/sessions", json=body).json()
    give(
        document,
        f"{document['id']} asks the agents of {document['agreements']} agreement(s); each runs "
        f"'escrow ceremony answer {document['id']}' before {document['ends_at']}.",
    )


def _agreements_of(session: str) -> list[str]:
    path = f"/custody/sessions/{remote.id_path(session)}/challenge"
    sent = remote.call("GET", path, parameters={"key": "none"}).json()
    return [str(one["agreement_id"]) for one in sent["items"]]


def _tell_progress(number: int, all_of_them: int) -> None:
    if number % _TOLD_EVERY == 0:
        complain(f"{number} of {all_of_them}")


def _opened_shares(
    asked: Asked, sent: Sequence[Mapping[str, Any]], opener: keys.AgeIdentity
) -> dict[int, OpenedShare]:
    """Return the agent's shares by place; each is of the agreement and key that are asked for."""
    from escrow.vault.ceremony import open_share_file

    found = {}
    for number, one in enumerate(sent, 1):
        if one["recipient"] != str(opener.recipient):
            continue
        share, place = open_share_file(base64.b64decode(one["file"]), opener), int(one["place"])
        item = asked.items[place] if 0 <= place < len(asked.items) else None
        if item is None or (share.agreement_id, share.epoch) != (item.agreement_id, item.epoch):
            raise _other_session()
        found[place] = share
        _tell_progress(number, len(sent))
    if not found:
        raise NoShareInSession(
            "The session asks for no share that is sealed to this identity.",
            "Give the identity whose public half stands in the agreement, and your own key.",
        )
    return found


def _ask() -> None:
    if wants_json() or not sys.stdin.isatty():
        raise NotAnswered(
            "Nobody is there to answer.", "Run it on a terminal, or add --yes once you have read."
        )
    complain("Type 'answer' if that is what you want to take part in:")
    if sys.stdin.readline().strip() != "answer":
        raise NotAnswered("Nothing was answered.", "Run it again when you are sure.")


def _other_session() -> OtherSession:
    return OtherSession(
        "What the service sent is not the session that the keyholder logged.",
        "Answer nothing; tell the other agents and the operator.",
    )
