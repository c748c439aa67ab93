"""``escrow agreement``: write, check, file, read and sign agreements."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escrow.ground.digests import sha256_hex
from escrow.ground.errors import InvalidInput, Tampered
from escrow.operations.cli import keys, remote
from escrow.operations.cli.check import (
    TRUST_ROOT_VARIABLE,
    compared_trust_root,
    fetched_trust_root,
)
from escrow.operations.cli.output import (
    EXIT_DOES_NOT,
    give,
    give_exactly,
    give_fields,
    give_table,
    place_text,
    say,
    wants_json,
)

if TYPE_CHECKING:
    from escrow.ground.signatures import Signer

app = typer.Typer(help="Write, check, file and sign agreements.", no_args_is_help=True)

SecondOption = Annotated[
    str | None,
    typer.Option(help="You sign jointly, as the second: the ending that the first began."),
]
KeyOption = Annotated[Path, typer.Option("--key", help="Your signing key, NAME.pem.")]


class BadAgreementFile(InvalidInput):
    """An agreement file cannot be read."""

    code = "cli.bad-agreement-file"


class OtherText(Tampered):
    """The service gives another text than the one whose digest it stated."""

    code = "cli.other-text"


@app.command("new")
def new(
    template: Annotated[str, typer.Option(help="Which template.")] = "three-party",
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for a ${NAME} of the template.")
    ] = None,
) -> None:
    """Print a template, to be filled in and filed; or filled in already, with --set.

    Example: escrow agreement new > ledger.toml
    """
    from agreements import templates

    # What is not given yet stays as it is, to be filled in later.
    kept = {name: f"${{{name}}}" for name in templates.placeholders(template)}
    filled = templates.render_template(template, kept | dict(map(_named_value, values or ())))
    give_exactly({"template": template, "text": filled}, filled)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="The agreement, TOML.")]) -> None:
    """Check an agreement without filing it; names the line, the reason and the remedy.

    Example: escrow agreement check ledger.toml
    """
    from agreements.parsing import check_agreement

    problems = [dataclasses.asdict(problem) for problem in check_agreement(_read(file))]
    if wants_json():
        give(problems)
    for problem in problems:
        say(f"{file}: {place_text(problem)}")
    if not problems:
        say(f"{file} holds; no warnings.")
    if any(problem["severity"] == "error" for problem in problems):
        raise typer.Exit(EXIT_DOES_NOT)


@app.command("file")
def file_agreement(
    file: Annotated[Path, typer.Argument(help="The agreement, TOML.")],
    amends: Annotated[str | None, typer.Option(help="The agreement that this is a version of.")] = (
        None
    ),
) -> None:
    """File an agreement; its text is hashed and kept for ever.

    Example: escrow agreement file ledger.toml
    """
    document = remote.call(
        "POST",
        "/agreements",
        content=_read(file).encode(),
        media_type="application/toml",
        parameters={"amends": amends} if amends else None,
    ).json()
    give(document, f"Filed {document['id']}, version {document['version']}.")
    _say_missing(document)


@app.command("list")
def list_agreements() -> None:
    """List the agreements that you are a party of.

    Example: escrow agreement list
    """
    items = remote.call("GET", "/agreements").json()["items"]
    give_table(items, ("id", "version", "standing", "title"), "No agreements yet.")


@app.command("show")
def show(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    text: Annotated[bool, typer.Option("--text", help="Print the agreement itself.")] = False,
) -> None:
    """Show where an agreement stands and what is still missing.

    Example: escrow agreement show agr_01kb… --text
    """
    if text:
        exact = remote.call("GET", f"{_path(agreement)}/text").text
        give_exactly({"id": agreement, "text": exact}, exact)
        return
    document = remote.call("GET", _path(agreement)).json()
    if wants_json():
        give(document)
        return
    give_fields({name: value for name, value in document.items() if name != "missing"})
    _say_missing(document)


@app.command("accept")
def accept(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    key: KeyOption,
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you compared."),
    ] = None,
) -> None:
    """Sign that you accept the agreement's current text.

    Prints the text's SHA-256 and the trust root's fingerprint: compare both with what the other
    parties were given before you enter the passphrase. An agent who names the trust root that he
    compared also vouches for it, as 'escrow ceremony vouch' does.

    Example: escrow agreement accept agr_01kb… --key ada.pem --trust-root trust-root.json
    """
    from escrow.evidence.snapshots import VOUCH_ACT, vouch_subject

    root = compared_trust_root(trust_root) if trust_root else None
    document = remote.call("GET", _path(agreement)).json()
    say(f"Agreement    {document['title']}, version {document['version']}")
    say(f"Text SHA-256 {document['text_sha256']}")
    say(f"Trust root   {(root or fetched_trust_root()).fingerprint()}")
    signer = keys.read_signing_key(key)
    subject = {name: document[name] for name in ("version", "text_sha256")}
    document = _sent(agreement, "accept-agreement", {"agreement_id": agreement, **subject}, signer)
    if root and str(signer.public) in _agents_of(agreement, subject["text_sha256"]):
        document = _sent(agreement, VOUCH_ACT, vouch_subject(agreement, root.sha256()), signer)
        say("You vouch for this trust root, as one of the agents.")
    _give_standing(document)


@app.command("prove-recipient")
def prove_recipient(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    key: KeyOption,
    identity: Annotated[Path, typer.Option(help="The recipient's identity, NAME.age.")],
) -> None:
    """Prove that you can open what a release would hand you, by opening a canary sealed to it.

    Example: escrow agreement prove-recipient agr_01kb… --key bo.pem --identity bo.age
    """
    from escrow.vault import age

    secret_holder = keys.read_identity(identity)
    canaries = remote.call("GET", f"{_path(agreement)}/recipient-canaries").json()["canaries"]
    mine = [item for item in canaries if item["recipient"] == str(secret_holder.recipient)]
    if not mine:
        raise BadAgreementFile(
            f"The agreement names no recipient that {identity.name} can open.",
            "Give the identity whose public half stands in the agreement.",
        )
    opened = age.decrypt_bytes(base64.b64decode(mine[0]["file"]), [secret_holder])
    subject = {
        "agreement_id": agreement,
        "recipient": mine[0]["recipient"],
        "secret": opened.hex(),
    }
    send_act(agreement, "prove-recipient", subject, key)


@app.command("missing")
def missing(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    save: Annotated[
        Path | None, typer.Option(help="Keep the signed notices in this folder.")
    ] = None,
) -> None:
    """List the signed notices that a deposit was due and did not come, newest first.

    Example: escrow agreement missing agr_01kb… --save notices
    """
    items = remote.call("GET", f"{_path(agreement)}/missing-deposits").json()["items"]
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for item in items:
            name = f"missing-{item['product']}-{item['due_at'][:10]}.json"
            text = json.dumps(item["document"], indent=1, ensure_ascii=False)
            (save / name).write_text(text + "\n", encoding="utf-8")
    if wants_json():
        give({"items": items})
        return
    give_table(items, ("product", "due_at", "signed_at"), "No deposit was missing.")


def send_act(agreement: str, act: str, subject: dict[str, object], key: Path) -> None:
    """Sign an act with the person's own key, send it, and say what is still missing."""
    _give_standing(_sent(agreement, act, subject, keys.read_signing_key(key)))


def _sent(
    agreement: str, act: str, subject: dict[str, object], signer: Signer
) -> dict[str, object]:
    from escrow.evidence import acts
    from escrow.ground.clock import SystemClock

    payload = acts.build_act(act, subject, signer.public, SystemClock().now())
    envelope = acts.sign_act(payload, signer)
    answer = remote.call("POST", f"{_path(agreement)}/acts", json=envelope.to_json())
    document: dict[str, object] = answer.json()
    return document


def _give_standing(document: dict[str, object]) -> None:
    give(document, f"Recorded. The agreement is {document['standing']}.")
    _say_missing(document)


def _agents_of(agreement: str, text_sha256: str) -> set[str]:
    """Return the signing keys of the agents whom the text that was just accepted names."""
    from agreements.parsing import reread_agreement

    raw = remote.call("GET", f"{_path(agreement)}/text").content
    if sha256_hex(raw) != text_sha256:
        raise OtherText(
            "The service gives another text than the one that you accepted.",
            "Ask the other parties for the text; your acceptance is of its SHA-256 alone.",
        )
    return {agent.signing_key for agent in reread_agreement(raw.decode()).agents}


def _path(agreement: str) -> str:
    return f"/agreements/{remote.id_path(agreement)}"


def _named_value(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair:
        raise BadAgreementFile(f"{text!r} gives no value.", "Write --set NAME=VALUE.")
    return name, value


def _say_missing(document: dict[str, object]) -> None:
    for item in document.get("missing") or ():  # type: ignore[attr-defined]
        say(f"  missing: {item['what']} ({item['who']})")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadAgreementFile(
            f"{file} cannot be read as UTF-8 text.", "Check the path; the file is TOML."
        ) from problem
