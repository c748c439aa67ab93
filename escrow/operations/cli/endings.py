"""``escrow ending``: holds, withdrawals and destructions; followed, served, confirmed, ended.

Every act is signed here, with the person's own key. An agent's confirmation is signed only after
the history that the service sent was proven under his own trust root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escrow.ground.errors import InvalidInput
from escrow.operations.cli import remote
from escrow.operations.cli.agreement import KeyOption, SecondOption
from escrow.operations.cli.agreement import app as agreement_app
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, read_trust_root
from escrow.operations.cli.confirm import ask_to_confirm
from escrow.operations.cli.output import complain, give, give_fields, give_table, wants_json
from escrow.operations.cli.request import StatementOption, digest_of, paper_of
from escrow.operations.cli.texts import proven_texts
from escrow.operations.cli.witnessing import check_witnesses

if TYPE_CHECKING:
    from escrow.evidence.trustroot import TrustRoot

app = typer.Typer(help="Holds, withdrawals, destructions: follow and act.", no_args_is_help=True)

EndingArgument = Annotated[str, typer.Argument(help="The ending's id: hld_…, wdr_… or dst_….")]


class NoDay(InvalidInput):
    """What was given as a day is none."""

    code = "cli.no-day"


@agreement_app.command("hold")
def hold(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    statement: Annotated[Path, typer.Option(help="The order, or your own words; any file.")],
    key: KeyOption,
) -> None:
    """Place a hold: nothing is withdrawn, dropped, erased or destroyed while it stands.

    Example: escrow agreement hold agr_01kb… --statement order.pdf --key bo.pem
    """
    begin(agreement, "hold", "place-hold", key, statement=statement)


@agreement_app.command("destroy")
def destroy(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    statement: Annotated[Path, typer.Option(help="Why it has ended; any file.")],
    key: KeyOption,
    second: SecondOption = None,
) -> None:
    """Request that everything under an agreement that has ended is destroyed (a party's act).

    It needs service on every beneficiary, a grace period and k agents, and no hold or request.

    Example: escrow agreement destroy agr_01kb… --statement end.pdf --key ada.pem
    """
    act = "request-destruction"
    begin(agreement, "destruction", act, key, statement=statement, second=second)


@app.command("list")
def list_all(agreement: Annotated[str, typer.Argument(help="The agreement's id.")]) -> None:
    """List an agreement's holds, withdrawals and destructions, newest first.

    Example: escrow ending list agr_01kb…
    """
    path = f"/agreements/{remote.id_path(agreement)}/endings"
    items = remote.call("GET", path).json()["items"]
    columns = ("id", "kind", "state", "organisation", "deposit_id", "filed_at")
    give_table(items, columns, "Nothing is held or ending.")


@app.command("show")
def show(ending: EndingArgument) -> None:
    """Show where an ending stands, what happens next, and what ciphertext is left.

    Example: escrow ending show wdr_01kb…
    """
    give_ending(remote.call("GET", _path(ending)).json())


@app.command("lift")
def lift(ending: EndingArgument, statement: StatementOption, key: KeyOption) -> None:
    """Lift a hold (an act of whoever placed it).

    Example: escrow ending lift hld_01kb… --statement order.pdf --key bo.pem
    """
    follow(ending, "lift-hold", key, statement=statement)


@app.command("acknowledge")
def acknowledge(ending: EndingArgument, key: KeyOption) -> None:
    """Acknowledge service of a request for destruction (a beneficiary's act).

    Example: escrow ending acknowledge dst_01kb… --key bo.pem
    """
    follow(ending, "acknowledge-destruction", key)


@app.command("serve")
def serve(
    ending: EndingArgument,
    key: KeyOption,
    proof: Annotated[Path, typer.Option(help="The proof of service, any file.")],
    beneficiary: Annotated[str, typer.Option(help="Short name of whoever was served.")],
    day: Annotated[str, typer.Option(help="Day of receipt (deemed: of sending), YYYY-MM-DD.")],
    method: Annotated[
        str, typer.Option(help="courier, registered-mail, in-person or deemed.")
    ] = "courier",
) -> None:
    """State with proof that a beneficiary was served with a request for destruction (an agent's).

    Example: escrow ending serve dst_01kb… --beneficiary bank --day 2026-03-02 --proof slip.pdf
    --key cy.pem
    """
    try:
        date.fromisoformat(day)
    except ValueError:
        raise NoDay(f"{day!r} is no day.", "Write YYYY-MM-DD.") from None
    own = {"beneficiary": beneficiary, "method": method, "day": day}
    follow(ending, "state-destruction-service", key, proof=proof, own=own)


@app.command("object")
def object_(ending: EndingArgument, statement: StatementOption, key: KeyOption) -> None:
    """Object to a destruction (a beneficiary's act); nothing is destroyed then.

    Example: escrow ending object dst_01kb… --statement reasons.pdf --key bo.pem
    """
    follow(ending, "object-to-destruction", key, statement=statement)


@app.command("cancel")
def cancel(ending: EndingArgument, key: KeyOption) -> None:
    """Take a withdrawal or a request for destruction back (an act of whoever made it).

    Example: escrow ending cancel wdr_01kb… --key ada.pem
    """
    is_withdrawal = ending.startswith("wdr_")
    follow(ending, "cancel-deposit-withdrawal" if is_withdrawal else "cancel-destruction", key)


@app.command("confirm")
def confirm(
    ending: EndingArgument,
    key: KeyOption,
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you were handed."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="You have read it; do not ask (for scripts).")
    ] = False,
) -> None:
    """Check a destruction against the ledger, show it, and confirm its form (an agent's act).

    By confirming you say: every beneficiary was served, the period is over, and no hold, order or
    release request is known to you by any channel.

    Example: escrow ending confirm dst_01kb… --key cy.pem --trust-root trust-root.json
    """
    root = read_trust_root(trust_root)
    sent = remote.call("GET", f"{_path(ending)}/confirmation").json()
    own = _proven(sent, root)
    if not yes:
        ask_to_confirm("no hold, order or request is known to you")
    follow(ending, "confirm-destruction", key, own=own)


@app.command("certificate")
def certificate(
    ending: EndingArgument,
    save: Annotated[Path, typer.Option(help="Where to keep it.")],
) -> None:
    """Fetch the signed certificate of a destruction; 'escrow check' checks it offline.

    Example: escrow ending certificate dst_01kb… --save certificate.json
    """
    document = remote.call("GET", f"{_path(ending)}/certificate").json()
    save.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    give({"saved": str(save)}, f"Saved {save}; 'escrow check {save}' checks it offline.")


def begin(
    agreement: str,
    kind: str,
    act: str,
    key: Path,
    *,
    statement: Path | None = None,
    own: Mapping[str, str] | None = None,
    second: str | None = None,
) -> None:
    """Sign an act that begins an ending under the text in force, and send it.

    Args:
        second: the ending that the first of two who sign jointly began; a new one where none is.
    """
    from agreements.parsing import reread_agreement
    from escrow.endings.subjects import ID_PREFIXES, opening_subject
    from escrow.ground.identifiers import AgreementId, new_id

    path = f"/agreements/{remote.id_path(agreement)}"
    shown = remote.call("GET", path).json()
    version = shown["in_force_version"] or shown["version"]
    text = remote.call("GET", f"{path}/text", parameters={"version": str(version)}).text
    papers = [paper_of("statement", statement)] if statement else []
    fields = {**(own or {})}
    if papers:
        fields["statement_sha256"] = digest_of(papers[0])
    digest = reread_agreement(text).text_sha256
    new = second or new_id(ID_PREFIXES[kind])
    subject = opening_subject(AgreementId(agreement), version, digest, new, **fields)
    _send(agreement, act, subject, key, papers)


def follow(
    ending: str,
    act: str,
    key: Path,
    *,
    statement: Path | None = None,
    proof: Path | None = None,
    own: Mapping[str, str] | None = None,
) -> None:
    """Sign an act on an ending that is on file, and send it."""
    from escrow.endings.subjects import following_subject
    from escrow.ground.identifiers import AgreementId

    shown = remote.call("GET", _path(ending)).json()
    papers, fields = [], {**(own or {})}
    for kind, path in (("statement", statement), ("proof", proof)):
        if path is not None:
            papers.append(paper_of(kind, path))
            fields[f"{kind}_sha256"] = digest_of(papers[-1])
    agreement = AgreementId(shown["agreement_id"])
    subject = following_subject(agreement, shown["id"], shown["opening_act_sha256"], **fields)
    _send(agreement, act, subject, key, papers)


def give_ending(document: dict[str, Any]) -> None:
    """Print an ending for whoever reads."""
    if wants_json():
        give(document)
        return
    left = document.pop("payloads", [])
    document.pop("papers", None)
    give_fields(document)
    if left:
        give_table(left, ("sha256", "removed_at", "locked_until"), "")


def _send(
    agreement: str,
    act: str,
    subject: dict[str, object],
    key: Path,
    papers: list[dict[str, str]],
) -> None:
    from escrow.operations.cli.request import signed_act

    body = {"envelope": signed_act(act, subject, key), "papers": papers}
    path = f"/agreements/{remote.id_path(agreement)}/endings"
    give_ending(remote.call("POST", path, json=body).json())


def _proven(sent: dict[str, Any], root: TrustRoot) -> dict[str, str]:
    """Return what an agent signs beside the ending, once everything that was sent is proven.

    1. The agreement's events hold under the trust root, from the first on. 2. Every text came into
    force in them, accepted by everybody whom it names, so by the agent as well. 3. The destruction
    waits for the agents, every beneficiary was served, the period is over, and no hold or request
    stands. 4. The witnesses of the trust root bear the history out.

    Raises:
        ProofFails, ChainBroken: question 1.
        EndingHistoryBroken, TextNotInForce, AgreementTextTampered: question 2.
        EndingTooEarly, BeneficiaryNotServed, HoldStands, RequestOpen: question 3.
        NoQuorum, OtherHistoryShown: question 4.
    """
    from escrow.endings.folding import fold_endings, terms_at
    from escrow.endings.rules import check_confirmable
    from escrow.ground.clock import SystemClock, rfc3339
    from escrow.ledger.chains import Chain, verify_chain
    from escrow.ledger.events import Stream

    # 1. the chain
    stream = Stream("agreement", str(sent["agreement_id"]))
    chain = verify_chain(Chain.from_json(sent["chain"]), root.ledger_keys, stream)
    # 2. the texts
    texts = proven_texts(chain, sent["texts"])
    endings = fold_endings(chain.events, texts)
    terms, version = terms_at(texts, len(chain.events))
    # 3. the matter
    ending = endings[str(sent["ending_id"])]
    ends_at = check_confirmable(ending, endings, terms, version, SystemClock().now())
    for line in (
        f"Agreement    {terms.title} ({sent['agreement_id']}, version {version})",
        f"Destruction  {ending.id}, by {ending.opening.signatory.name} of "
        f"{ending.opening.signatory.organisation}, {rfc3339(ending.opening.at)}",
        f"Served       {', '.join(one.organisation for one in terms.beneficiaries)}",
        f"Period       ended {rfc3339(ends_at)}",
        f"Ledger       {chain.head.checkpoint.tree_size} entries, "
        f"root {chain.head.checkpoint.root_hex}",
    ):
        complain(line)
    # 4. the witnesses
    check_witnesses(root, chain.head.checkpoint)
    return {"text_sha256": terms.text_sha256, "ledger_head": chain.head_sha256}


def _path(ending: str) -> str:
    return f"/endings/{remote.id_path(ending)}"
