"""``escrow request``: ask for a release, serve, consent, object, withdraw; and see where it stands.

Every act is signed here, with the person's own key; the service gets the envelope only.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from escrow.ground.errors import InvalidInput
from escrow.operations.cli import keys, remote
from escrow.operations.cli.agreement import KeyOption
from escrow.operations.cli.output import give, give_fields, give_table, say, wants_json
from escrow.operations.cli.recipient import counting

app = typer.Typer(help="Release requests: file, follow and act on them.", no_args_is_help=True)

RequestArgument = Annotated[str, typer.Argument(help="The request's id, req_….")]
ProofOption = Annotated[Path, typer.Option("--proof", help="The proof of service, any file.")]
StatementOption = Annotated[
    Path, typer.Option("--statement", help="Your own words, a text or PDF file.")
]


class BadEvidence(InvalidInput):
    """An --evidence option does not name a kind and a file."""

    code = "cli.bad-evidence"


class NoSuchRecipient(InvalidInput):
    """The agreement names no recipient of that kind for the asking beneficiary."""

    code = "cli.no-such-recipient"


@app.command("file")
def file(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    condition: Annotated[str, typer.Option(help="Type of the release condition.")],
    statement: StatementOption,
    key: KeyOption,
    evidence: Annotated[
        list[str] | None, typer.Option(help="KIND=FILE, as often as needed.")
    ] = None,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="Seal to the recovery recipient instead.")
    ] = False,
) -> None:
    """File a release request: a condition of the agreement has occurred (the beneficiary's act).

    Example: escrow request file agr_01kb… --condition vendor-insolvency --statement words.txt
    --evidence court-record=docket.pdf --key bo.pem
    """
    from agreements.parsing import reread_agreement
    from escrow.ground.identifiers import AgreementId, RequestId, new_id
    from escrow.releases.subjects import Evidence, RequestSubject

    path = f"/agreements/{remote.id_path(agreement)}"
    shown = remote.call("GET", path).json()
    version = shown["in_force_version"] or shown["version"]
    text = remote.call("GET", f"{path}/text", parameters={"version": str(version)}).text
    terms = reread_agreement(text)
    signer = keys.read_signing_key(key)
    papers = [paper_of("statement", statement), *map(_evidence, evidence or ())]
    subject = RequestSubject(
        agreement_id=AgreementId(agreement),
        version=version,
        text_sha256=terms.text_sha256,
        request_id=RequestId(new_id("req")),
        condition=condition,
        recipient=_recipient(path, terms, str(signer.public), recovery=recovery),
        statement_sha256=digest_of(papers[0]),
        evidence=tuple(Evidence(one["kind"], digest_of(one)) for one in papers[1:]),
    )
    envelope = signed_act("file-release-request", subject.to_json(), key)
    body = {"envelope": envelope, "papers": papers}
    document = remote.call("POST", f"{path}/requests", json=body).json()
    _give(document, f"Filed as {document['id']}.")


@app.command("list")
def list_all() -> None:
    """List the release requests under your agreements.

    Example: escrow request list
    """
    items = remote.call("GET", "/requests").json()["items"]
    columns = ("id", "state", "condition", "organisation", "agreement_id", "filed_at")
    give_table(items, columns, "There are no release requests.")


@app.command("show")
def show(request: RequestArgument) -> None:
    """Show where a request stands: what happens next, when, and by whom.

    Example: escrow request show req_01kb…
    """
    _give(remote.call("GET", _path(request)).json(), None)


@app.command("acknowledge")
def acknowledge(request: RequestArgument, key: KeyOption) -> None:
    """Acknowledge service of the request (the vendor's act); the period starts today.

    Example: escrow request acknowledge req_01kb… --key ada.pem
    """
    _act(request, "acknowledge-service", key)


@app.command("serve")
def serve(
    request: RequestArgument,
    key: KeyOption,
    proof: ProofOption,
    day: Annotated[str, typer.Option(help="Day of receipt (deemed: of sending), YYYY-MM-DD.")],
    method: Annotated[
        str, typer.Option(help="courier, registered-mail, in-person or deemed.")
    ] = "courier",
) -> None:
    """State that the vendor was served, with the proof (an agent's act).

    Example: escrow request serve req_01kb… --day 2026-03-02 --proof slip.pdf --key cy.pem
    """
    try:
        date.fromisoformat(day)
    except ValueError:
        raise BadEvidence(f"{day!r} is no day.", "Write YYYY-MM-DD.") from None
    paper = paper_of("proof", proof)
    more = {"method": method, "day": day, "proof_sha256": digest_of(paper)}
    _act(request, "state-service", key, [paper], more)


@app.command("consent")
def consent(request: RequestArgument, key: KeyOption) -> None:
    """Consent to the release (the vendor's act); it opens the confirmation at once.

    Example: escrow request consent req_01kb… --key ada.pem
    """
    _act(request, "consent-to-release", key)


@app.command("object")
def object_(
    request: RequestArgument,
    key: KeyOption,
    statement: StatementOption,
    ground: Annotated[str, typer.Option(help="not-occurred or cured.")] = "not-occurred",
) -> None:
    """File contrary instructions (the vendor's act); the release stops.

    Example: escrow request object req_01kb… --statement reasons.pdf --key ada.pem
    """
    paper = paper_of("statement", statement)
    more = {"ground": ground, "statement_sha256": digest_of(paper)}
    _act(request, "file-contrary-instructions", key, [paper], more)


@app.command("withdraw")
def withdraw(request: RequestArgument, key: KeyOption) -> None:
    """Withdraw the request (the beneficiary's act).

    Example: escrow request withdraw req_01kb… --key bo.pem
    """
    _act(request, "withdraw-release-request", key)


@app.command("paper")
def paper(
    request: RequestArgument,
    sha256: Annotated[str, typer.Argument(help="The paper's digest, from 'request show'.")],
    save: Annotated[Path, typer.Option(help="Where to keep it.")],
) -> None:
    """Fetch a statement, a piece of evidence or a proof; do not trust what is inside.

    Example: escrow request paper req_01kb… 9f86d0… --save docket.pdf
    """
    answer = remote.call("GET", f"{_path(request)}/papers/{remote.id_path(sha256)}")
    save.write_bytes(answer.content)
    give({"saved": str(save)}, f"Saved {save}, {len(answer.content)} bytes.")


def _act(
    request: str,
    act: str,
    key: Path,
    papers: list[dict[str, str]] | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    from escrow.ground.identifiers import AgreementId, RequestId
    from escrow.releases.subjects import act_subject

    shown = remote.call("GET", _path(request)).json()
    subject = act_subject(
        AgreementId(shown["agreement_id"]),
        RequestId(shown["id"]),
        shown["request_act_sha256"],
        **(more or {}),
    )
    body = {"envelope": signed_act(act, subject, key), "papers": papers or []}
    document = remote.call("POST", f"{_path(request)}/acts", json=body).json()
    _give(document, "Recorded.")


def signed_act(act: str, subject: dict[str, object], key: Path) -> dict[str, object]:
    """Return an act, signed with the key of a file."""
    from escrow.evidence import acts
    from escrow.ground.clock import SystemClock

    signer = keys.read_signing_key(key)
    payload = acts.build_act(act, subject, signer.public, SystemClock().now())
    return acts.sign_act(payload, signer).to_json()


def _recipient(path: str, terms: Any, signing_key: str, *, recovery: bool) -> str:  # noqa: ANN401 (lazy import)
    wanted = "recovery" if recovery else "primary"
    for party in terms.beneficiaries:
        if signing_key in {person.signing_key for person in party.persons}:
            found = counting(path, party.organisation, wanted)
            if found is not None:
                return found
    raise NoSuchRecipient(
        f"The agreement names no {wanted} recipient beside this signing key.",
        "Use the key of a person of the beneficiary, and a recipient that the agreement names.",
    )


def _evidence(text: str) -> dict[str, str]:
    kind, is_pair, name = text.partition("=")
    if not is_pair or not name:
        raise BadEvidence(f"{text!r} names no kind and file.", "Write --evidence KIND=FILE.")
    return paper_of(kind, Path(name))


def paper_of(kind: str, path: Path) -> dict[str, str]:
    """Return a paper as it is sent."""
    content = path.read_bytes()
    return {"kind": kind, "name": path.name, "content": base64.b64encode(content).decode()}


def digest_of(paper: dict[str, str]) -> str:
    """Return the digest under which an act names a paper."""
    from escrow.ground.digests import sha256_hex

    return sha256_hex(base64.b64decode(paper["content"]))


def _path(request: str) -> str:
    return f"/requests/{remote.id_path(request)}"


def _give(document: dict[str, Any], sentence: str | None) -> None:
    if wants_json():
        give(document)
        return
    if sentence is not None:
        say(sentence)
    papers = document.pop("papers", [])
    document.pop("request_act_sha256", None)
    give_fields(document)
    if papers:
        say("")
        give_table(papers, ("kind", "name", "bytes", "sha256"), "")
